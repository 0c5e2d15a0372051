"""Percentiles of few scores, and the one that tells their spread."""

from collections.abc import Sequence

import numpy as np

from clipsearch.types import Vectors

LOWER_SIGMA = 15.87
"""The percentile that lies one standard deviation below the median of a normal distribution."""


def percentiles(ordered: Vectors, percents: Sequence[float]) -> list[float]:
    """Return percentiles of sorted values (n,), interpolated between two of them.

    They are those of np.percentile, which takes 0.05 ms each time, and 6 ms at its first call.
    """
    places = np.array(percents) / 100 * (len(ordered) - 1)
    return [float(value) for value in np.interp(places, np.arange(len(ordered)), ordered)]
