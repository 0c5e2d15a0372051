"""Pairs of close vectors are those of a comparison of all pairs, in full."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.query import close_vectors, duplicate_candidates, vector_file
from clipsearch.query.close_vectors import CloseVectors
from clipsearch.query.duplicate_candidates import Candidates, LaterRows
from clipsearch.query.vector_file import VectorArray, VectorFile
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

DIM = 48


def clustered(count: int, centers: int, noise: float, seed: int, dim: int = DIM) -> Vectors:
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((centers, dim)) * np.linspace(2, 0.1, dim)
    return normalize(
        points[rng.integers(0, centers, count)] + noise * rng.standard_normal((count, dim))
    )


@pytest.mark.parametrize("dense", [1, 32, 10**9], ids=["never", "as it is", "always"])
@settings(max_examples=20)
@given(
    centers=st.integers(1, 40),
    noise=st.sampled_from([0.0, 0.01, 0.2, 1.0]),
    limit=st.sampled_from([-1.0, 0.3, 0.9, 0.99]),
    seed=st.integers(0, 1_000),
)
def test_no_pair_is_missed(dense: int, centers: int, noise: float, limit: float, seed: int) -> None:
    vectors = clustered(200, centers, noise, seed)
    rng = np.random.default_rng(seed)
    rows, others = (np.sort(rng.choice(200, size, replace=False)) for size in (60, 90))
    with pytest.MonkeyPatch.context() as patch, VectorFile() as file:
        patch.setattr(close_vectors, "SAMPLE_ROWS", 64)
        patch.setattr(close_vectors, "WIDTHS", (4, 8, 16))
        patch.setattr(close_vectors, "COMPARISON_COST", -100)  # always choose a short form
        patch.setattr(close_vectors, "PAIR_COST", 0)
        patch.setattr(close_vectors, "DENSE", dense)
        file.append(vectors[:77])
        file.append(vectors[77:])
        close = CloseVectors(file, limit)
        first, second, scores = close.pairs(
            rows, others, limit, lambda a, b: np.asarray(a % 3 != b % 3)
        )
    cosines = vectors[rows].astype(np.float64) @ vectors[others].T.astype(np.float64)
    expected = {(i, j) for i, j in np.ndindex(cosines.shape) if rows[i] % 3 != others[j] % 3}
    found = set(zip(first.tolist(), second.tolist(), strict=True))
    assert {(i, j) for i, j in expected if cosines[i, j] >= limit + 1e-6} <= found
    assert found <= {(i, j) for i, j in expected if cosines[i, j] >= limit - 1e-6}
    assert sorted(found) == list(zip(first.tolist(), second.tolist(), strict=True))
    np.testing.assert_allclose(scores, cosines[first, second], atol=1e-5)


def test_a_short_form_is_chosen_for_many_vectors_that_are_not_alike() -> None:
    vectors = clustered(5_000, 500, 0.05, 0, dim=256)
    rows = np.arange(len(vectors))
    close = CloseVectors(VectorArray(vectors), 0.9)
    assert close._short is not None
    assert close._short.shape[1] < 130
    assert len(close.pairs(rows[:50], rows, 0.9)[0]) == ((vectors[:50] @ vectors.T) >= 0.9).sum()


def test_rows_of_a_file_are_read_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = clustered(100, 5, 0.3, 1)
    with VectorFile() as file:
        file.append(vectors)
        for spread in (1, 16):
            monkeypatch.setattr(vector_file, "SPREAD", spread)
            for rows in ([], [99], [5, 3, 3, 90], list(range(20, 40))):
                read = file.read(np.array(rows, dtype=np.intp))
                np.testing.assert_array_equal(read, vectors[rows].reshape(-1, DIM))


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 90))))
def test_later_rows_hold_every_pair(pairs: set[tuple[int, int]]) -> None:
    rows = np.array([10, 11, 13, 20, 21])
    later = LaterRows(rows, 101)
    for _ in range(2):  # a pair may be added again
        ordered = np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)
        later.add(ordered[:, 0], 10 + ordered[:, 1])
    expected = [{10 + b for a, b in pairs if a == position} for position in range(5)]
    assert list(map(set, later)) == expected
    involved = {*rows[[bool(e) for e in expected]], *(10 + b for _, b in pairs)}
    assert later.involved().tolist() == sorted(involved)


@pytest.mark.parametrize("block_rows", [7, 1_000])
@pytest.mark.parametrize("neighbors", [1, 3])
def test_small_images_are_candidates_of_their_nearest_neighbors(
    block_rows: int, neighbors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BLOCK_ROWS", "LATER_ROWS"):
        monkeypatch.setattr(duplicate_candidates, name, block_rows)
    monkeypatch.setattr(duplicate_candidates, "NEIGHBORS", neighbors)
    vectors = clustered(60, 6, 0.3, 2)
    rng = np.random.default_rng(2)
    scale = rng.choice([50, 400], 60)
    sides = np.stack([scale * rng.choice([1, 2], 60), scale], axis=1)
    candidates = Candidates(CloseVectors(VectorArray(vectors), 0.95), sides, 0.95)
    found = {
        (int(row), int(other))
        for block in candidates.blocks()
        for row, later in zip(block, candidates.later(block, np.ones(60, bool)), strict=True)
        for other in later
    }
    cosines = vectors @ vectors.T
    same = sides[:, 0] * sides[:, 1][:, None] == sides[:, 0][:, None] * sides[:, 1]
    np.fill_diagonal(same, val=False)
    expected = set(zip(*np.nonzero(same & (cosines >= 0.95)), strict=True))
    for row in np.flatnonzero(sides.min(axis=1) < 200):
        others = [o for o in np.argsort(-cosines[row], kind="stable") if same[row, o]]
        expected |= {(row, o) for o in others[:neighbors] if cosines[row, o] >= 0.75}
    assert found == {(int(min(pair)), int(max(pair))) for pair in expected}
