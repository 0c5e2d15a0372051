"""A few kills of each kind with a fixed seed; `python -m tests.torture` does hundreds."""

from pathlib import Path

import pytest

from clipsearch.store.milvus_lite import native_library
from tests.torture.kills import FAULTS, WEIGHTS, Torture

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")


def test_kills_lose_nothing(tmp_path: Path) -> None:
    torture = Torture(tmp_path, images=150, seed=7)
    for operation in (*WEIGHTS, *WEIGHTS):
        torture.kill([operation])
    result = torture.result()
    assert {fault: result[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0), result
    assert result["kills"] == 2 * len(WEIGHTS)
    assert int(str(result["rows_checked"])) > 2_000
