"""Logistic regression with scikit-learn, for linear probes and the textness probe."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.types import Vectors

Floats = NDArray[np.float64]

Targets = NDArray[np.intp]
"""(n,) the class of each row, 0..k-1."""

FOLDS = 3
MAX_ITERATIONS = 1_000  # as Radford et al. 2021, appendix A.3
COARSE_GRID = (1.0, 1e2, 1e4)
REFINEMENT_STEPS = (10.0, 10**0.5)

ONE_SHOT_INVERSE_PENALTY = 1e2
"""Used if a class has one example, so that none can be held out. The choice then hardly matters:
the nearest class mean wins."""

MIN_LOG_LIKELIHOOD = float(np.log(1e-12))
"""Of a held-out row, so that a single misclassified one does not decide the penalty."""

PARALLEL_SIZE = 100_000_000
"""Rows × columns × classes from which several threads are faster than one."""


def fit_multinomial(
    features: Vectors, targets: Targets, *, inverse_penalty: float
) -> tuple[Vectors, Vectors]:
    """Fit a softmax regression over k classes: (k, d) weights and (k,) bias, float32.

    `inverse_penalty` is scikit-learn's C, for features with a mean of zero and a mean squared
    length of one. The features are scaled to that, which also makes L-BFGS converge several times
    faster; the returned weights apply to the unscaled features.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    mean = features.mean(axis=0, dtype=np.float64)
    centered = features - mean
    scale = float(np.sqrt(np.mean(np.sum(centered**2, axis=1)))) or 1.0  # 0 if all rows are equal
    is_large = features.size * (int(targets.max()) + 1) > PARALLEL_SIZE
    with warnings.catch_warnings(), threadpool_limits(None if is_large else 1):
        # With hardly any penalty the last digits never converge, and do not need to.
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=inverse_penalty, max_iter=MAX_ITERATIONS)
        model.fit((centered / scale).astype(np.float32), targets)
    weights = np.asarray(model.coef_, dtype=np.float64)
    bias = np.asarray(model.intercept_, dtype=np.float64)
    if len(weights) == 1:  # for two classes scikit-learn returns one row, the second against zero
        weights, bias = np.vstack([0 * weights, weights]), np.append(0 * bias, bias)
    weights /= scale
    return weights.astype(np.float32), (bias - weights @ mean).astype(np.float32)


def choose_inverse_penalty(features: Vectors, targets: Targets, *, seed: int) -> float:
    """The inverse penalty with the highest cross-validated likelihood.

    The search tries powers of a hundred, then finer steps around the best one (Radford et al. 2021,
    appendix A.3, "parametric binary search").
    """
    from sklearn.model_selection import StratifiedKFold

    smallest = int(np.bincount(targets).min())
    if smallest < 2:
        return ONE_SHOT_INVERSE_PENALTY
    folds = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=seed)
    splits = list(folds.split(features, targets))

    def loss(inverse_penalty: float) -> float:
        losses = [_held_out_loss(inverse_penalty, features, targets, *split) for split in splits]
        return float(np.mean(losses))

    return _search_grid(loss, COARSE_GRID, REFINEMENT_STEPS)


def fit_binary(
    rows: Floats, probabilities: Floats, sample_weights: Floats, *, penalty: float
) -> tuple[Floats, float]:
    """The (d,) weight vector and the intercept of a two-class regression, by Newton's method.

    `rows` is (n, d), `probabilities` (n,) the target probability of the second class, and
    `sample_weights` (n,) has the sum 1. Minimizes the weighted cross-entropy plus `penalty` / 2
    times the squared weight vector; the intercept is not penalized. This is an `nn.Linear(d, 2)`
    with softmax and weight decay `penalty` / 2, whose two weight rows are plus and minus half of
    the vector.
    """
    from sklearn.linear_model import LogisticRegression

    # scikit-learn takes no soft targets: each row counts for both classes in proportion.
    positive, negative = np.flatnonzero(probabilities > 0), np.flatnonzero(probabilities < 1)
    weights = [
        sample_weights[positive] * probabilities[positive],
        sample_weights[negative] * (1 - probabilities[negative]),
    ]
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-9)
    model.fit(
        np.concatenate([rows[positive], rows[negative]]),
        np.repeat([1, 0], [len(positive), len(negative)]),
        np.concatenate(weights),
    )
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def _search_grid(
    loss: Callable[[float], float], coarse: Sequence[float], steps: Sequence[float]
) -> float:
    losses = {value: loss(value) for value in coarse}
    for step in steps:
        best = min(losses, key=losses.__getitem__)
        for value in (best / step, best * step):
            if value not in losses:
                losses[value] = loss(value)
    return min(losses, key=losses.__getitem__)


def _held_out_loss(
    inverse_penalty: float, features: Vectors, targets: Targets, train: Targets, test: Targets
) -> float:
    """The mean negative log likelihood of the test rows."""
    from scipy.special import log_softmax

    weights, bias = fit_multinomial(
        features[train], targets[train], inverse_penalty=inverse_penalty
    )
    log_likelihoods = log_softmax(features[test] @ weights.T + bias, axis=1)
    log_likelihoods = np.maximum(log_likelihoods, MIN_LOG_LIKELIHOOD)
    return -float(log_likelihoods[np.arange(len(test)), targets[test]].mean())
