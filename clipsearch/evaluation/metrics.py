"""Retrieval metrics as papers report them: pure functions on arrays of scores.

Ties count against the model: items that score as high as the right answer are ranked before it. A
model that gives every item the same score therefore finds nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipsearch.errors import VectorError

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class QueryRanking:
    """The rank, from 1, of a query's first relevant item, and its average precision."""

    first_rank: int
    average_precision: float


def rank_query(scores: ArrayLike, relevant: ArrayLike) -> QueryRanking:
    """Rank (m,) scores, higher is better; the items at the indices `relevant` (k,) are right.

    The i-th best relevant item has rank i + the number of irrelevant items that score as high or
    higher. The average precision is the mean of i / rank over the relevant items. Raises
    VectorError if no item is relevant.
    """
    row = np.asarray(scores)
    relevant_scores = np.sort(row[np.asarray(relevant, dtype=np.intp)])[::-1]  # (k,) best first
    if not len(relevant_scores):
        raise VectorError("a query without a relevant item has no rank")
    # (k,) items that score as high or higher, relevant ones included
    above = (row[None, :] >= relevant_scores[:, None]).sum(axis=1)
    relevant_above = (relevant_scores[None, :] >= relevant_scores[:, None]).sum(axis=1)
    irrelevant_above = above - relevant_above
    positions = np.arange(1, len(relevant_scores) + 1)
    return QueryRanking(
        first_rank=int(1 + irrelevant_above[0]),
        average_precision=float(np.mean(positions / (positions + irrelevant_above))),
    )


def rank_targets(scores: ArrayLike, targets: ArrayLike) -> Indices:
    """Rank, from 1, the item at `targets` (n,) in each row of (n, m) scores."""
    table = np.asarray(scores)
    target_scores = table[np.arange(len(table)), np.asarray(targets, dtype=np.intp)]
    return np.asarray((table >= target_scores[:, None]).sum(axis=1), dtype=np.intp)


def top_k(scores: ArrayLike, k: int) -> Indices:
    """The indices of the k highest values of each row of (n, m) scores, best first, as (n, k).

    Of equal values the lower index comes first.
    """
    return np.argsort(-np.asarray(scores), axis=1, kind="stable")[:, :k]


def average_precision_at_k(results: ArrayLike, relevant: ArrayLike) -> NDArray[np.float64]:
    """The average precision (n,) of k results each, if the k items in `relevant` are right.

    Both are (n, k) indices; the order of `relevant` does not matter. The value is the sum of the
    precision at the position of each relevant result, divided by k.
    """
    lists, truth = np.asarray(results), np.asarray(relevant)
    is_relevant = (lists[:, :, None] == truth[:, None, :]).any(axis=2)  # (n, k)
    precision = np.cumsum(is_relevant, axis=1) / np.arange(1, lists.shape[1] + 1)
    result: NDArray[np.float64] = (precision * is_relevant).sum(axis=1) / lists.shape[1]
    return result


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's correlation, -1..1, of two (m,) arrays of scores.

    Equal scores share their mean rank. Returns 0 if one of the arrays is constant.
    """
    from scipy.stats import spearmanr

    first, second = np.asarray(first), np.asarray(second)
    if np.all(first == first[0]) or np.all(second == second[0]):
        return 0.0  # spearmanr warns and returns NaN
    return float(spearmanr(first, second).statistic)
