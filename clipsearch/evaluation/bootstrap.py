"""Confidence intervals by bootstrap resampling (Efron 1979).

Groups are resampled, not values: the captions of one image succeed and fail together, and treating
them as independent would make every interval too narrow.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipsearch.evaluation.results import Estimate

RESAMPLES = 1000
CONFIDENCE = 95
"""Percent of the resamples inside an interval."""
SEED = 20
"""Fixed, so that the same data give the same interval."""


def estimate_means(
    values: ArrayLike, groups: ArrayLike | None = None, *, resamples: int = RESAMPLES
) -> list[Estimate]:
    """Estimate the mean of each column of (n, m) values.

    `groups` (n,) holds the group number of each row. None means that each row is its own group.
    """
    table = np.asarray(values, dtype=np.float64)
    group_of = _group_numbers(len(table), groups)
    sizes = np.bincount(group_of).astype(np.float64)  # (g,)
    sums = np.stack([np.bincount(group_of, weights=column) for column in table.T], axis=1)  # (g, m)
    samples = np.array(
        [(counts @ sums) / (counts @ sizes) for counts in _resample_counts(len(sizes), resamples)]
    )
    return [
        _estimate(mean, column) for mean, column in zip(table.mean(axis=0), samples.T, strict=True)
    ]


def estimate_median(
    values: ArrayLike, groups: ArrayLike | None = None, *, resamples: int = RESAMPLES
) -> Estimate:
    """Estimate the median of (n,) values; `groups` as for `estimate_means`."""
    column = np.asarray(values, dtype=np.float64)
    group_of = _group_numbers(len(column), groups)
    order = np.argsort(column, kind="stable")
    ordered, group_of = column[order], group_of[order]
    samples = []
    for counts in _resample_counts(int(group_of.max()) + 1, resamples):
        cumulative = np.cumsum(counts[group_of])  # resampled values up to and with this one
        middle = [(cumulative[-1] - 1) // 2, cumulative[-1] // 2]
        samples.append(ordered[np.searchsorted(cumulative, middle, side="right")].mean())
    return _estimate(float(np.median(column)), np.array(samples))


def _group_numbers(count: int, groups: ArrayLike | None) -> NDArray[np.intp]:
    """The group of each of `count` rows, numbered without gaps."""
    if groups is None:
        return np.arange(count)
    return np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)


def _resample_counts(groups: int, resamples: int) -> Iterator[NDArray[np.intp]]:
    """For each resample, yield how often each group was drawn, as (groups,)."""
    random = np.random.default_rng(SEED)
    for _ in range(resamples):
        yield np.bincount(random.integers(groups, size=groups), minlength=groups)


def _estimate(value: float, samples: NDArray[np.float64]) -> Estimate:
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(samples, (tail, 100 - tail))
    return Estimate(float(value), float(low), float(high))
