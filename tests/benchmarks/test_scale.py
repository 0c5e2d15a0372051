"""The benchmark of growth: its rows, its fit, its arithmetic, and one small run."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.scale.growth import PROJECTED, arithmetic_rows, exponent, growth_rows
from benchmarks.scale.measure import measure
from benchmarks.scale.rows import make_rows


def test_a_power_law_is_fitted_exactly() -> None:
    factor, slope = exponent([10, 100, 1_000, 5_000], [0, 3e4, 3e6, 75e6])
    assert (factor, slope) == pytest.approx((3, 2))
    with pytest.raises(ValueError, match="two sizes"):
        exponent([10, 20], [0, 1])


def test_each_measure_is_projected() -> None:
    results: list[dict[str, str | float]] = [
        {"store": "lite", "rows": rows, "scan s": rows / 1e4, "recall@10": 1.0}
        for rows in (1_000, 10_000)
    ]
    scan, recall = growth_rows(results, "lite")
    assert scan["exponent"] == 1
    assert scan["1e+09"] == pytest.approx(1e5)
    assert recall["exponent"] == 0
    assert not growth_rows(results, "server")


def test_the_arithmetic_uses_the_index_that_auto_chooses() -> None:
    million, *_, billion = arithmetic_rows(512)
    assert million["index"] == "hnsw"
    assert million["memory GB"] == pytest.approx(2.2)
    assert billion["rows"] == PROJECTED[-1] == 10**9
    assert float(billion["memory GB"]) < 100 < float(billion["local disk GB"])


def test_rows_are_the_same_each_time_and_have_files(tmp_path: Path) -> None:
    rows = list(make_rows(tmp_path, 100, 200, 32))
    again = list(make_rows(tmp_path, 100, 200, 32))
    assert [row.record for row in rows] == [row.record for row in again]
    vectors = np.stack([row.embedding for row in rows])
    np.testing.assert_array_equal(vectors, np.stack([row.embedding for row in again]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert all(row.record.path.stat().st_mtime_ns == row.record.mtime_ns for row in rows)
    assert vectors[99] @ vectors[98] > 0.99  # a near-duplicate
    assert len({row.record.content_hash for row in rows}) == 200


def test_a_small_store_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPSEARCH_WARM", "")
    monkeypatch.setattr("benchmarks.scale.measure.SEARCHES", 4)
    result = measure(str(tmp_path / "scale.db"), 300, tmp_path)
    assert (result["store"], result["rows"], result["recall@10"]) == ("lite", 300, 1)
    seconds = [float(value) for name, value in result.items() if name.endswith(" s")]
    assert len(seconds) == 7
    assert min(seconds) >= 0
