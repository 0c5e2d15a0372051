"""Copies and imports that are killed; `python -m tests.torture.transfer 100` kills more of them."""

import sys
from pathlib import Path

import pytest

from tests.torture.transfer import TransferKills

pytest.importorskip("pyarrow", reason="pip install 'clipsearch[scale]'")


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
@pytest.mark.parametrize("operation", ["copy", "import"])
def test_a_killed_transfer_harms_no_row_and_goes_on(tmp_path: Path, operation: str) -> None:
    kills = TransferKills(tmp_path, seed=7)
    kills.run(operation, 5)
    assert kills.kills == 5
    assert kills.completions > 0
