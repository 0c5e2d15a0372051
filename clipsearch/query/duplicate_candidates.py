"""Pairs of images whose embeddings are similar enough to compare their pixels."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clipsearch.query.embedding_groups import TOLERANCE
from clipsearch.types import Vectors

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]

BLOCK_ROWS = 512  # rows per matrix product: what is held of 512 × 512 pairs is 20 MB
SMALL_SIDE = 200
"""Pixels of the shorter side below which an image does not fill the input of a model.

The embeddings of copies of such images differ up to LENIENCE times as much, but hardly any other
image is closer: the NEIGHBORS nearest ones are candidates.
"""
NEIGHBORS, LENIENCE = 16, 5


class Candidates:
    """The pairs of n images that are compared, computed again when needed and never stored.

    Two images are candidates if they have the same proportions and their cosine is at least
    `threshold`, or if one of them is among the nearest neighbors of the other, which is small.
    """

    def __init__(self, vectors: Vectors, sides: NDArray[np.int64], threshold: float) -> None:
        """Find the neighbors of small images; `sides`, (n, 2), are widths and heights in pixels."""
        self._vectors, self._sides = vectors, sides
        self._limit = threshold - TOLERANCE
        self._neighbors: defaultdict[int, set[int]] = defaultdict(set)  # both ways
        small = np.flatnonzero(sides.min(axis=1) < SMALL_SIDE)
        for start in range(0, len(small), BLOCK_ROWS):
            self._add_neighbors(small[start : start + BLOCK_ROWS])

    def rows(self) -> Rows:
        """The rows that are in a pair, in order: (c,)."""
        is_paired = np.zeros(len(self._vectors), dtype=np.bool_)
        is_paired[list(self._neighbors)] = True
        blocks = list(_blocks(len(self._vectors)))
        for number, block in enumerate(blocks):
            for later in blocks[number:]:
                close = self._vectors[block] @ self._vectors[later].T >= self._limit
                if later is block:
                    np.fill_diagonal(close, val=False)
                first, second = np.nonzero(close)
                alike = _same_proportions(self._sides[block][first], self._sides[later][second])
                is_paired[block[first[alike]]] = True
                is_paired[later[second[alike]]] = True
        return np.flatnonzero(is_paired)

    def of(self, row: int, others: Rows) -> Mask:
        """Which of some other rows, (k,), are candidates of a row: (k,)."""
        chunks = [others[i : i + BLOCK_ROWS] for i in range(0, len(others), BLOCK_ROWS)]
        scores = [self._vectors[chunk] @ self._vectors[row] for chunk in chunks]
        close = np.concatenate([np.empty(0, np.float32), *scores]) >= self._limit
        close &= _same_proportions(self._sides[row], self._sides[others])
        close |= np.isin(others, list(self._neighbors.get(row, ())))
        return close

    def _add_neighbors(self, small: Rows) -> None:
        best_scores = np.empty((len(small), 0), dtype=np.float32)
        best_rows = np.empty((len(small), 0), dtype=np.intp)
        for block in _blocks(len(self._vectors)):
            scores = self._vectors[small] @ self._vectors[block].T
            scores[small[:, None] == block] = -1
            alike = _same_proportions(self._sides[small][:, None], self._sides[block])
            scores[~alike] = -1
            scores = np.concatenate([best_scores, scores], axis=1)
            rows = np.concatenate(
                [best_rows, np.broadcast_to(block, (len(small), len(block)))], axis=1
            )
            best = np.argsort(-scores, axis=1, kind="stable")[:, :NEIGHBORS]
            best_scores, best_rows = (np.take_along_axis(x, best, 1) for x in (scores, rows))
        limit = max(0.0, 1 - LENIENCE * (1 - self._limit))
        for index, nearest in zip(*np.nonzero(best_scores >= limit), strict=True):
            row, neighbor = int(small[index]), int(best_rows[index, nearest])
            self._neighbors[row].add(neighbor)
            self._neighbors[neighbor].add(row)


def _blocks(count: int) -> Iterator[Rows]:
    for start in range(0, count, BLOCK_ROWS):
        yield np.arange(start, min(start + BLOCK_ROWS, count))


def _same_proportions(first: NDArray[np.int64], second: NDArray[np.int64]) -> Mask:
    """Whether images of these sides, (…, 2), may be copies that were resized, to whole pixels."""
    crossed = np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])
    same: Mask = crossed <= np.maximum(first, second).sum(axis=-1)
    return same
