"""Damaged files with a fixed seed; `python -m tests.fuzz` decodes tens of thousands."""

import sys

import pytest

from tests.fuzz.fuzzing import FAULTS, Fuzzing
from tests.fuzz.originals import FORMATS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")


def test_damaged_files_give_pixels_or_an_image_error() -> None:
    for package in ("pylibjxl", "rawpy", "resvg_py", "imagecodecs"):
        pytest.importorskip(package)
    fuzzing = Fuzzing(seed=7, max_memory="500M")
    fuzzing.run(1_600)
    result = fuzzing.result()
    assert result["faults"] == dict.fromkeys(FAULTS, 0), result["messages"]
    assert result["mutants"] == 1_600
    for name in FORMATS:  # mutants reach the pixels and the errors of every format
        assert fuzzing.outcomes[name]["refused"] >= 10
        assert fuzzing.outcomes[name]["pixels"] >= 1
    assert max(fuzzing.slowest.values()) < 20
