"""Multinomial logistic regression: the only importer of scikit-learn."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.classify.predictions import softmax
from clipsearch.types import Vectors

Targets = NDArray[np.intp]
"""(n,) the class of each row, 0..k-1."""

FOLDS = 3
MAX_ITERATIONS = 1_000  # as Radford et al. 2021, appendix A.3
COARSE = (1.0, 1e2, 1e4)
STEPS = (10.0, 10**0.5)

LONE = 1e2
"""The strength where a class has one example, so that none can be held out. Then it decides little:
which class mean is nearest wins."""

LARGE = 100_000_000
"""Rows × columns × classes from which more than one thread pays; below, they wait for each other."""


def fit_logistic(
    features: Vectors, targets: Targets, *, strength: float
) -> tuple[Vectors, Vectors]:
    """(k, d) weights and (k,) bias, float32, of a softmax over k classes, by L-BFGS.

    `strength` is the inverse of the L2 penalty, scikit-learn's C, for features whose mean is zero
    and whose mean squared length is one. So they are scaled before, which makes the search several
    times as short, and what is returned takes them as they are.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    middle = features.mean(axis=0, dtype=np.float64)
    centred = features - middle
    scale = float(np.sqrt(np.mean(np.sum(centred**2, axis=1)))) or 1.0  # 0 where all are equal
    large = features.size * (int(targets.max()) + 1) > LARGE
    with warnings.catch_warnings(), threadpool_limits(None if large else 1):
        # Where there is next to no penalty the last digits never settle, and need not.
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS)
        model.fit((centred / scale).astype(np.float32), targets)
    weights = np.asarray(model.coef_, dtype=np.float64)
    bias = np.asarray(model.intercept_, dtype=np.float64)
    if len(weights) == 1:  # of two classes scikit-learn gives one row: the second's, against zero
        weights, bias = np.vstack([0 * weights, weights]), np.append(0 * bias, bias)
    weights /= scale
    return weights.astype(np.float32), (bias - weights @ middle).astype(np.float32)


def choose_strength(features: Vectors, targets: Targets, *, seed: int) -> float:
    """The `strength` with the best likelihood of held-out rows, by cross-validation.

    First powers of a hundred, then finer steps around the best one (the parametric search of
    Radford et al. 2021, appendix A.3).
    """
    from sklearn.model_selection import StratifiedKFold

    smallest = int(np.bincount(targets).min())
    if smallest < 2:
        return LONE
    folds = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=seed)
    splits = list(folds.split(features, targets))

    def loss(strength: float) -> float:
        return float(np.mean([_held_out(strength, features, targets, *split) for split in splits]))

    return _search(loss, COARSE, STEPS)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the mean of n values, by Student's t; nan for fewer than 2."""
    from scipy.stats import t

    if len(values) < 2:
        return float("nan"), float("nan")
    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    reach = float(t.ppf(0.975, len(values) - 1) * error)
    return float(mean - reach), float(mean + reach)


def _search(
    loss: Callable[[float], float], coarse: Sequence[float], steps: Sequence[float]
) -> float:
    losses = {strength: loss(strength) for strength in coarse}
    for step in steps:
        best = min(losses, key=losses.__getitem__)
        for strength in (best / step, best * step):
            if strength not in losses:
                losses[strength] = loss(strength)
    return min(losses, key=losses.__getitem__)


def _held_out(
    strength: float, features: Vectors, targets: Targets, train: Targets, test: Targets
) -> float:
    """The mean negative log likelihood of the test rows."""
    weights, bias = fit_logistic(features[train], targets[train], strength=strength)
    chances = softmax(features[test] @ weights.T + bias)[np.arange(len(test)), targets[test]]
    return -float(np.log(np.maximum(chances, 1e-12)).mean())
