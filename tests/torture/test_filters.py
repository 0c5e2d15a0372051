"""Some hundred random filters; `python -m tests.torture.filters` compares thousands."""

from pathlib import Path

import pytest

from clipsearch.store.milvus_lite.native_server import native_library
from tests.torture.filters import FAULTS, Comparison, torture


def check(comparison: Comparison, expected: int) -> None:
    counts = comparison.counts
    assert {fault: counts[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0), (
        comparison.messages
    )
    assert counts["expressions"] == expected
    assert counts["refused"] > expected / 10
    assert counts["matches"] > expected


@pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")
def test_filters_select_on_milvus_lite_and_its_file_what_python_selects(tmp_path: Path) -> None:
    comparison = torture(tmp_path / "images.db", 400, seed=5)
    check(comparison, 400)
    assert not comparison.counts["unsupported_like"]
    assert comparison.counts["file_answers"] == comparison.counts["file_expressions"] == 40


def test_filters_select_on_a_server_what_python_selects(milvus_server: str) -> None:
    check(torture(milvus_server, 100, seed=6, size=30), 100)
