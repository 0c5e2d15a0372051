"""The numbers that papers report, from scores: pure functions on arrays.

Ties count against the model: what scores as high as the right answer is taken to stand before it.
A model that gives everything the same score therefore finds nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipsearch.errors import VectorError

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query's right answers stand: the rank of the first, from 1, and the average precision."""

    first: int
    precision: float


def place(scores: ArrayLike, right: ArrayLike) -> Place:
    """Rank (m,) scores, higher is better, of which those at the indices `right` (k,) are right.

    The i-th best right answer has rank i + the wrong ones that score as high or higher, and the
    average precision is the mean of i / rank over the right ones. Raises VectorError where
    nothing is right.
    """
    row = np.asarray(scores)
    own = np.sort(row[np.asarray(right, dtype=np.intp)])[::-1]  # (k,) best first
    if not len(own):
        raise VectorError("a query without a right answer has no rank")
    before = (row[None, :] >= own[:, None]).sum(axis=1)  # (k,) right ones among them
    wrong = before - (own[None, :] >= own[:, None]).sum(axis=1)
    numbers = np.arange(1, len(own) + 1)
    return Place(int(1 + wrong[0]), float(np.mean(numbers / (numbers + wrong))))


def ranks_of(scores: ArrayLike, right: ArrayLike) -> Indices:
    """The rank, from 1, of the one right answer of each row of (n, m) scores; `right` is (n,)."""
    table = np.asarray(scores)
    own = table[np.arange(len(table)), np.asarray(right, dtype=np.intp)]
    return np.asarray((table >= own[:, None]).sum(axis=1), dtype=np.intp)


def best(scores: ArrayLike, count: int) -> Indices:
    """The indices of the `count` highest of each row of (n, m) scores, best first, as (n, count).

    Of equal ones the lower index comes first.
    """
    return np.argsort(-np.asarray(scores), axis=1, kind="stable")[:, :count]


def list_precision(found: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """The average precision of each list in `found` (n, k) where the k in `truth` (n, k) are right.

    (n,) float64: the sum over the right ones found of the precision at their place, divided by k.
    The order of `truth` does not matter.
    """
    lists, wanted = np.asarray(found), np.asarray(truth)
    right = (lists[:, :, None] == wanted[:, None, :]).any(axis=2)  # (n, k)
    precision = np.cumsum(right, axis=1) / np.arange(1, lists.shape[1] + 1)
    result: NDArray[np.float64] = (precision * right).sum(axis=1) / lists.shape[1]
    return result


def overlap(found: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """The share of the k in each row of `truth` (n, k) that is in that row of `found` (n, any)."""
    lists, wanted = np.asarray(found), np.asarray(truth)
    return np.asarray((wanted[:, :, None] == lists[:, None, :]).any(axis=2).mean(axis=1))


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's correlation of two (m,) arrays of scores, -1..1; equal scores share their rank.

    0 where one of them is the same everywhere.
    """
    a, b = _middle_ranks(np.asarray(one)), _middle_ranks(np.asarray(other))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def _middle_ranks(values: NDArray[np.generic]) -> NDArray[np.float64]:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: NDArray[np.float64] = ends - (counts - 1) / 2
    return np.asarray(middles[group.reshape(-1)])
