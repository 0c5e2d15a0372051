"""How far a measured number can be trusted: intervals by resampling (Efron 1979).

What is drawn again and again are groups, not values: the captions of one picture succeed and fail
together, and taking them for independent would make every interval too narrow.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipsearch.evaluation.results import Estimate

RESAMPLES = 1000
INSIDE = 95  # percent of the resamples that an interval holds
SEED = 20  # the same data give the same interval


def means(
    values: ArrayLike, groups: ArrayLike | None = None, *, resamples: int = RESAMPLES
) -> list[Estimate]:
    """The mean of each column of (n, m) values, with its interval.

    `groups` (n,) holds the number of the group that each row belongs to; None: each is its own.
    """
    table = np.asarray(values, dtype=np.float64)
    owner = _owners(len(table), groups)
    sizes = np.bincount(owner).astype(np.float64)  # (g,)
    sums = np.stack([np.bincount(owner, weights=column) for column in table.T], axis=1)  # (g, m)
    drawn = np.array(
        [(weight @ sums) / (weight @ sizes) for weight in _draws(len(sizes), resamples)]
    )
    return [_estimate(*pair) for pair in zip(table.mean(axis=0), drawn.T, strict=True)]


def median(
    values: ArrayLike, groups: ArrayLike | None = None, *, resamples: int = RESAMPLES
) -> Estimate:
    """The median of (n,) values, with its interval; `groups` as for `means`."""
    column = np.asarray(values, dtype=np.float64)
    owner = _owners(len(column), groups)
    order = np.argsort(column, kind="stable")
    ordered, owner = column[order], owner[order]
    drawn = []
    for weight in _draws(int(owner.max()) + 1, resamples):
        upto = np.cumsum(weight[owner])  # how many values there are up to this one
        middle = [(upto[-1] - 1) // 2, upto[-1] // 2]
        drawn.append(ordered[np.searchsorted(upto, middle, side="right")].mean())
    return _estimate(float(np.median(column)), np.array(drawn))


def _owners(count: int, groups: ArrayLike | None) -> NDArray[np.intp]:
    """The group of each of `count` rows, numbered without gaps."""
    if groups is None:
        return np.arange(count)
    return np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)


def _draws(count: int, resamples: int) -> Iterator[NDArray[np.intp]]:
    """For each resample, how often each of `count` groups was drawn."""
    random = np.random.default_rng(SEED)
    for _ in range(resamples):
        yield np.bincount(random.integers(count, size=count), minlength=count)


def _estimate(value: float, drawn: NDArray[np.float64]) -> Estimate:
    beyond = (100 - INSIDE) / 2
    low, high = np.percentile(drawn, (beyond, 100 - beyond))
    return Estimate(float(value), float(low), float(high))
