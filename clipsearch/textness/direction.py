"""The direction of text among embeddings, and how well it tells pictures apart."""

from dataclasses import dataclass

import numpy as np

from clipsearch.logistic_regression import Floats, fit_binary

FOLDS = 5
PENALTY = 0.1
"""On rows of mean square 1; from 0.03 to 1 directions and accuracies are the same."""
RIDGE = (0.003, 0.01)
"""Of a covariance of trace 1, the least and the most: between, 2 / pictures. Measured on directions
that are known and on photographs; less follows the accidents of a sample, more its content."""
BELOW = 15.87  # percent of a normal distribution that lie a deviation or more below its middle


@dataclass(frozen=True, slots=True)
class HeldOutDistances:
    """Distances of pictures from the middle, (n,) and (m,), along directions fitted without them."""

    with_text: Floats
    without_text: Floats

    def auc(self) -> float:
        """How often a picture with text lies further along than one without; ties count half."""
        lower = np.sort(self.without_text)
        below = np.searchsorted(lower, self.with_text, side="left")
        not_above = np.searchsorted(lower, self.with_text, side="right")
        return float((below + not_above).mean() / 2 / len(lower))

    def gap(self) -> float:
        """The mean distance between both kinds."""
        return float(self.with_text.mean() - self.without_text.mean())

    def accuracy(self, cut: float) -> float:
        """The share that lies on the right side of `cut`, both kinds counting alike."""
        return float(((self.with_text > cut).mean() + (self.without_text <= cut).mean()) / 2)

    def calibration(self) -> tuple[float, float]:
        """Slope, above 0, and intercept that turn distances into probabilities (Platt 1999).

        With his targets a little inside 0 and 1, so that kinds that never mix have a finite slope.
        """
        counts = len(self.with_text), len(self.without_text)
        targets = np.repeat([(counts[0] + 1) / (counts[0] + 2), 1 / (counts[1] + 2)], counts)
        distances = np.concatenate([self.with_text, self.without_text])
        size = float(np.abs(distances).mean()) or 1.0
        weights = _balanced(np.repeat([1.0, 0.0], counts))
        slopes, intercept = fit_binary(distances[:, None] / size, targets, weights, penalty=1e-6)
        return max(float(slopes[0]) / size, 1e-6), intercept


def cross_validate(
    with_text: Floats, without_text: Floats, metric: Floats | None, seed: int
) -> HeldOutDistances:
    """Each picture's distance from the middle along a direction that was fitted without it."""
    rng = np.random.default_rng(seed)
    kinds = (with_text, without_text)
    parts = [rng.permutation(len(rows)) % FOLDS for rows in kinds]
    found = [np.empty(len(rows)) for rows in kinds]
    for fold in range(FOLDS):
        seen = [rows[part != fold] for rows, part in zip(kinds, parts, strict=True)]
        unit, middle = fit_direction(seen[0], seen[1], metric)
        for rows, part, values in zip(kinds, parts, found, strict=True):
            values[part == fold] = rows[part == fold] @ unit - middle
    return HeldOutDistances(*found)


def fit_direction(
    with_text: Floats, without_text: Floats, metric: Floats | None
) -> tuple[Floats, float]:
    """The unit vector from pictures without text to those with, (d,), and the middle along it.

    `metric` is that of `metric_of`; without one it is that of the pictures without text.
    """
    features = whitening_matrix(without_text) if metric is None else metric
    middle = (with_text.mean(axis=0) + without_text.mean(axis=0)) / 2
    rows = (np.concatenate([with_text, without_text]) - middle) @ features
    rows /= np.sqrt((rows**2).sum(axis=1).mean())  # so that the penalty means the same everywhere
    wanted = np.repeat([1.0, 0.0], [len(with_text), len(without_text)])
    weights, _ = fit_binary(rows, wanted, _balanced(wanted), penalty=PENALTY)
    towards = features @ weights
    unit: Floats = towards / np.linalg.norm(towards)
    return unit, float(middle @ unit)


def whitening_matrix(images: Floats) -> Floats:
    """(d, d): features in which these pictures, (n, d), vary about equally in every direction.

    The inverse root of their covariance plus a ridge, since n pictures tell little of d dimensions.
    """
    centred = images - images.mean(axis=0)
    covariance = centred.T @ centred
    values, vectors = np.linalg.eigh(covariance / max(np.trace(covariance), 1e-12))
    ridge = np.clip(2 / len(images), *RIDGE)
    features: Floats = vectors / np.sqrt(np.maximum(values, 0) + ridge)
    return features


def score_spread(images: Floats, queries: Floats) -> float:
    """The median over (k, d) queries of the standard deviation of their scores, from the lower half."""
    below, median = np.percentile(queries @ images.T, (BELOW, 50), axis=1)
    return float(np.median(median - below))


def _balanced(wanted: Floats) -> Floats:
    """Weights of sum 1 under which both kinds count alike, however many there are of each."""
    positive = wanted.sum()
    weights: Floats = np.where(wanted == 1, 0.5 / positive, 0.5 / (len(wanted) - positive))
    return weights
