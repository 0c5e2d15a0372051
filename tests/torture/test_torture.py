"""A few kills of each kind with a fixed seed; `python -m tests.torture` does hundreds."""

from pathlib import Path

import pytest

from clipsearch.store.milvus_lite import native_library
from tests.torture.kills import FAULTS, OPERATIONS, Torture

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")


def test_kills_lose_nothing(tmp_path: Path) -> None:
    torture = Torture(tmp_path, images=150, seed=7)
    for operation in (*sorted(set(OPERATIONS)), *OPERATIONS):
        torture.kill([operation])
    result = torture.result()
    assert {fault: result[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0), result
    assert result["kills"] == len(set(OPERATIONS)) + len(OPERATIONS)
    assert int(str(result["rows_checked"])) > 2_000
