"""Pairs of vectors with a large cosine, found without computing all cosines in full."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from clipsearch.query.vector_file import Rows, VectorSource
from clipsearch.types import Vectors

BLOCK_ROWS, LATER_ROWS = 512, 1_024
"""Rows of the two sides of a matrix product. If all are alike, its pairs take 20 MB."""

TOLERANCE = 1e-5  # float32 rows of equal direction have cosines a little below 1
ROUNDING = 1.1e-3  # of a bound: coordinates in float16 are off by up to 2^-11 of themselves

WIDTHS = (32, 64, 128, 256)
SAMPLE_ROWS = 2_048
"""Fewer vectors than that are compared in full."""

COMPARISON_COST, PAIR_COST = 6, 15_000
"""What a comparison of one bound, and a cosine of one pair, cost: so many dimensions' products."""

DENSE = 32
"""If more than one in so many pairs may be close, the product of all takes less time."""

PAIRS = 2_048  # whose vectors are held at a time: 8 MB of 512 dimensions
TESTED_PAIRS = 65_536  # at a time: 5 MB

PairTest = Callable[[Rows, Rows], NDArray[np.bool_]]
"""Tells which of m pairs of rows, (m,) and (m,), matter."""


class CloseVectors:
    """n vectors of length 1, of which a short form is in memory.

    The short form has the coordinates along the `width` directions in which the vectors are
    longest, and the length of what remains. The product of two such rows is an upper bound of their
    cosine (Cauchy-Schwarz), so most pairs are excluded by a tenth of the work, and none wrongly.
    """

    def __init__(self, vectors: VectorSource, limit: float) -> None:
        """Measure on a sample how short a form suffices for cosines of at least `limit`."""
        self._vectors = vectors
        self._short: NDArray[np.float16] | None = None
        if len(vectors) > SAMPLE_ROWS:
            random = np.random.default_rng(0)
            rows = np.sort(random.choice(len(vectors), SAMPLE_ROWS, replace=False))
            sample = vectors.read(rows)
            fitted, tried = sample[::2], sample[1::2]
            _, axes = np.linalg.eigh(fitted.T.astype(np.float64) @ fitted)
            self._axes = axes[:, ::-1].astype(np.float32)  # the longest first
            if width := self._choose_width(tried, limit):
                self._short = np.empty((len(vectors), width + 1), dtype=np.float16)
                for block in blocks(len(vectors), LATER_ROWS):
                    self._short[block] = self._shorten(vectors.read(block), width)

    def __len__(self) -> int:
        return len(self._vectors)

    def read(self, rows: Rows) -> Vectors:
        """Return some vectors, (m, d)."""
        return self._vectors.read(rows)

    def pairs(
        self, rows: Rows, others: Rows, limit: float | Vectors, matters: PairTest | None = None
    ) -> tuple[Rows, Rows, Vectors]:
        """Return the pairs of (a,) rows and (b,) others with a cosine of at least `limit`.

        As positions in `rows` and in `others`, ordered by both, and cosines: (m,) each. `limit` may
        be an (a, 1) array. Pairs that do not pass `matters` are left out.
        """
        if self._short is None:
            scores = self._vectors.read(rows) @ self._vectors.read(others).T
            return _select(scores, limit, rows, others, matters)
        short, others_short = (self._short[some].astype(np.float32) for some in (rows, others))
        bounds = short @ others_short.T
        first, second = _where(bounds >= limit - ROUNDING, rows, others, matters)
        if len(first) * DENSE > bounds.size:
            scores = self._vectors.read(rows) @ self._vectors.read(others).T
            return _select(scores, limit, rows, others, matters)
        return self._exact(rows, others, limit, first, second)

    def _exact(
        self, rows: Rows, others: Rows, limit: float | Vectors, first: Rows, second: Rows
    ) -> tuple[Rows, Rows, Vectors]:
        """Return those of some pairs that have a cosine of at least `limit`."""
        if not len(first):
            return first, second, np.empty(0, dtype=np.float32)
        used, first_used = np.unique(first, return_inverse=True)
        others_used, second_used = np.unique(second, return_inverse=True)
        a, b = self._vectors.read(rows[used]), self._vectors.read(others[others_used])
        scores = np.concatenate(
            [
                np.einsum("ij,ij->i", a[first_used[i : i + PAIRS]], b[second_used[i : i + PAIRS]])
                for i in range(0, len(first), PAIRS)
            ]
        )
        close = scores >= (limit[first, 0] if isinstance(limit, np.ndarray) else limit)
        return first[close], second[close], scores[close]

    def _choose_width(self, sample: Vectors, limit: float) -> int | None:
        """Return the width that costs least; None if none costs less than complete vectors."""
        costs: dict[int | None, float] = {None: self._vectors.dim}
        for width in WIDTHS:
            if width < self._vectors.dim:
                short = self._shorten(sample, width)
                open_pairs = ((short @ short.T) >= limit).mean() - 1 / len(sample)
                costs[width] = width + COMPARISON_COST + PAIR_COST * open_pairs
        return min(costs, key=lambda width: costs[width])

    def _shorten(self, vectors: Vectors, width: int) -> Vectors:
        turned = vectors @ self._axes
        rest = np.linalg.norm(turned[:, width:], axis=1, keepdims=True)
        return np.concatenate([turned[:, :width], rest], axis=1)


def blocks(count: int, size: int, start: int = 0) -> Iterator[Rows]:
    """Yield the numbers from `start` to `count` in blocks."""
    for first in range(start, count, size):
        yield np.arange(first, min(first + size, count))


def _select(
    scores: Vectors,
    limit: float | Vectors,
    rows: Rows,
    others: Rows,
    matters: PairTest | None,
) -> tuple[Rows, Rows, Vectors]:
    first, second = _where(scores >= limit, rows, others, matters)
    return first, second, scores[first, second]


def _where(
    mask: NDArray[np.bool_], rows: Rows, others: Rows, matters: PairTest | None
) -> tuple[Rows, Rows]:
    """Return the positions at which an (a, b) mask is set and whose rows pass a test."""
    # `nonzero` of two dimensions takes longer than the matrix product, even if nothing is set.
    first, second = np.divmod(np.flatnonzero(mask), len(others) or 1)
    if matters is None or not len(first):
        return first, second
    passes = np.concatenate(
        [
            matters(rows[first[i : i + TESTED_PAIRS]], others[second[i : i + TESTED_PAIRS]])
            for i in range(0, len(first), TESTED_PAIRS)
        ]
    )
    return first[passes], second[passes]
