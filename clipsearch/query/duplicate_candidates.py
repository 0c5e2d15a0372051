"""Pairs of images whose embeddings are similar enough to compare their pixels."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clipsearch.query.close_vectors import BLOCK_ROWS, LATER_ROWS, TOLERANCE, CloseVectors, blocks
from clipsearch.query.vector_file import Rows

Mask = NDArray[np.bool_]

SMALL_SIDE = 200
"""Pixels of the shorter side below which an image does not fill the input of a model.

The embeddings of copies of such images differ up to LENIENCE times as much, but hardly any other
image is closer: the NEIGHBORS nearest ones are candidates.
"""
NEIGHBORS, LENIENCE = 16, 5


class LaterRows:
    """The later candidates of each of some rows, in one bit for each pair."""

    def __init__(self, rows: Rows, count: int) -> None:
        """Note no candidate yet; there are `count` rows in all."""
        self._rows = rows
        self._start = int(rows[0]) if len(rows) else 0
        self._bits = np.zeros((len(rows), (count - self._start + 7) // 8), dtype=np.uint8)

    def add(self, positions: Rows, others: Rows) -> None:
        """Note pairs of a position in the rows and another row: (m,) and (m,)."""
        columns = others - self._start
        np.bitwise_or.at(self._bits, (positions, columns >> 3), 128 >> (columns & 7))

    def __iter__(self) -> Iterator[Rows]:
        """Yield the candidates of each row, in order."""
        for bits in self._bits:
            yield self._numbers(bits)

    def involved(self) -> Rows:
        """Return the rows that have or are candidates, in order."""
        first = self._rows[self._bits.any(axis=1)]
        return np.union1d(first, self._numbers(np.bitwise_or.reduce(self._bits, axis=0)))

    def _numbers(self, bits: NDArray[np.uint8]) -> Rows:
        # Most rows have no or few candidates, so most bytes are zero.
        some = np.flatnonzero(bits)
        bit_rows, bit_columns = np.nonzero(np.unpackbits(bits[some, None], axis=1))
        return self._start + 8 * some[bit_rows] + bit_columns


class Candidates:
    """The pairs of n images that are compared: those of one block at a time, in order.

    Two images are candidates if they have the same proportions and their cosine is at least
    `threshold`, or if one of them is among the nearest neighbors of the other, which is small.
    """

    def __init__(self, vectors: CloseVectors, sides: NDArray[np.int64], threshold: float) -> None:
        """Find the neighbors of small images; `sides`, (n, 2), are widths and heights in pixels."""
        self._vectors, self._sides = vectors, sides
        self._limit = threshold - TOLERANCE
        small = np.flatnonzero(sides.min(axis=1) < SMALL_SIDE)
        found = [
            self._neighbors(small[i : i + BLOCK_ROWS]) for i in range(0, len(small), BLOCK_ROWS)
        ]
        pairs = np.concatenate([np.empty((0, 2), dtype=np.intp), *found])
        self._pairs = np.unique(np.sort(pairs, axis=1), axis=0)  # by the first row

    def blocks(self) -> Iterator[Rows]:
        """Yield the numbers of all images, in blocks."""
        return blocks(len(self._vectors), BLOCK_ROWS)

    def later(self, rows: Rows, is_free: Mask) -> LaterRows:
        """Return those images after each of some rows of a block that are free and candidates."""
        count = len(self._vectors)
        result = LaterRows(rows, count)
        if not len(rows):
            return result
        for block in blocks(count, LATER_ROWS, int(rows[0])):
            others = block[is_free[block]]
            first, second, _ = self._vectors.pairs(rows, others, self._limit, self._are_later)
            result.add(first, others[second])
        low, high = np.searchsorted(self._pairs[:, 0], (rows[0], rows[-1] + 1))
        first_rows, second_rows = self._pairs[low:high].T
        is_wanted = np.isin(first_rows, rows) & is_free[second_rows]
        result.add(np.searchsorted(rows, first_rows[is_wanted]), second_rows[is_wanted])
        return result

    def _are_later(self, rows: Rows, others: Rows) -> Mask:
        """Tell which pairs of rows, (m,) and (m,), are in order and have the same proportions."""
        is_later: Mask = others > rows
        return is_later & self._have_same_proportions(rows, others)

    def _have_same_proportions(self, rows: Rows, others: Rows) -> Mask:
        """Tell which images may be resized copies of others, to whole pixels: (m,)."""
        first, second = self._sides[rows], self._sides[others]
        crossed = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
        same: Mask = crossed <= np.maximum(first, second).sum(axis=1)
        return same

    def _are_others(self, rows: Rows, others: Rows) -> Mask:
        is_other: Mask = others != rows
        return is_other & self._have_same_proportions(rows, others)

    def _neighbors(self, small: Rows) -> Rows:
        """Return the pairs, (m, 2), of some small images and their nearest neighbors."""
        limit = np.full((len(small), 1), max(0.0, 1 - LENIENCE * (1 - self._limit)), np.float32)
        first, rows = np.empty((2, 0), dtype=np.intp)  # the best pairs so far
        scores = np.empty(0, dtype=np.float32)
        for others in blocks(len(self._vectors), LATER_ROWS):
            more, columns, cosines = self._vectors.pairs(small, others, limit, self._are_others)
            if not len(more):
                continue
            first = np.concatenate([first, more])
            rows = np.concatenate([rows, others[columns]])
            scores = np.concatenate([scores, cosines])
            order = np.lexsort((rows, -scores, first))
            first, rows, scores = first[order], rows[order], scores[order]
            rank = np.arange(len(first)) - np.searchsorted(first, first)
            is_last = rank == NEIGHBORS - 1
            limit[first[is_last], 0] = scores[is_last]  # later ones must be nearer
            is_best = rank < NEIGHBORS
            first, rows, scores = first[is_best], rows[is_best], scores[is_best]
        return np.stack([small[first], rows], axis=1)
