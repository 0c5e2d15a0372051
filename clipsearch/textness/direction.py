"""The direction of text among embeddings, and how well it separates held-out images."""

from dataclasses import dataclass

import numpy as np

from clipsearch.logistic_regression import Floats, fit_binary
from clipsearch.percentiles import LOWER_SIGMA

FOLDS = 5
PENALTY = 0.1
"""For rows with a mean square of 1; from 0.03 to 1 directions and accuracies are the same."""
CALIBRATION_PENALTY = 1e-6
RIDGE = (0.003, 0.01)
"""Bounds of the ridge 2 / n of n images, for a covariance with trace 1. Measured on known
directions and on real images: a smaller ridge follows sampling noise, a larger one the content of
the images."""


@dataclass(frozen=True, slots=True)
class HeldOutDistances:
    """Distances from the midpoint along directions fitted without the image: (n,), (m,)."""

    with_text: Floats
    without_text: Floats

    def auc(self) -> float:
        """The probability that an image with text lies above one without; ties count half."""
        ascending = np.sort(self.without_text)
        below = np.searchsorted(ascending, self.with_text, side="left")
        not_above = np.searchsorted(ascending, self.with_text, side="right")
        return float((below + not_above).mean() / 2 / len(ascending))

    def gap(self) -> float:
        """The distance between the means of the two classes."""
        return float(self.with_text.mean() - self.without_text.mean())

    def accuracy(self, cut: float) -> float:
        """The balanced accuracy of `cut`: the mean of the two classes' shares on the right side."""
        return float(((self.with_text > cut).mean() + (self.without_text <= cut).mean()) / 2)

    def calibration(self) -> tuple[float, float]:
        """Slope, above 0, and intercept that turn distances into probabilities (Platt 1999).

        Platt's targets lie slightly inside 0 and 1, so the slope is finite for separable classes.
        """
        counts = len(self.with_text), len(self.without_text)
        targets = np.repeat([(counts[0] + 1) / (counts[0] + 2), 1 / (counts[1] + 2)], counts)
        distances = np.concatenate([self.with_text, self.without_text])
        size = float(np.abs(distances).mean()) or 1.0
        weights = _balanced_weights(np.repeat([1.0, 0.0], counts))
        slopes, intercept = fit_binary(
            distances[:, None] / size, targets, weights, penalty=CALIBRATION_PENALTY
        )
        return max(float(slopes[0]) / size, 1e-6), intercept


def cross_validate(
    with_text: Floats, without_text: Floats, whitening: Floats | None, seed: int
) -> HeldOutDistances:
    """Each image's distance from the midpoint along a direction that was fitted without it."""
    rng = np.random.default_rng(seed)
    classes = (with_text, without_text)
    folds = [rng.permutation(len(rows)) % FOLDS for rows in classes]
    distances = [np.empty(len(rows)) for rows in classes]
    for fold in range(FOLDS):
        training = [rows[row_folds != fold] for rows, row_folds in zip(classes, folds, strict=True)]
        unit, midpoint = fit_direction(training[0], training[1], whitening)
        for rows, row_folds, values in zip(classes, folds, distances, strict=True):
            values[row_folds == fold] = rows[row_folds == fold] @ unit - midpoint
    return HeldOutDistances(*distances)


def fit_direction(
    with_text: Floats, without_text: Floats, whitening: Floats | None
) -> tuple[Floats, float]:
    """The (d,) unit vector from images without text to images with text, and its midpoint.

    `whitening` is a matrix from `whitening_matrix`, by default that of the images without text.
    """
    features = whitening_matrix(without_text) if whitening is None else whitening
    mean = (with_text.mean(axis=0) + without_text.mean(axis=0)) / 2
    rows = (np.concatenate([with_text, without_text]) - mean) @ features
    rows /= np.sqrt((rows**2).sum(axis=1).mean())  # gives the penalty the same meaning everywhere
    targets = np.repeat([1.0, 0.0], [len(with_text), len(without_text)])
    weights, _ = fit_binary(rows, targets, _balanced_weights(targets), penalty=PENALTY)
    vector = features @ weights
    unit: Floats = vector / np.linalg.norm(vector)
    return unit, float(mean @ unit)


def whitening_matrix(images: Floats) -> Floats:
    """(d, d): maps to features in which images like these, (n, d), vary about equally.

    It is the inverse square root of their covariance plus a ridge, which is needed because n images
    say little about d dimensions.
    """
    centered = images - images.mean(axis=0)
    covariance = centered.T @ centered
    values, vectors = np.linalg.eigh(covariance / max(np.trace(covariance), 1e-12))
    ridge = np.clip(2 / len(images), *RIDGE)
    features: Floats = vectors / np.sqrt(np.maximum(values, 0) + ridge)
    return features


def score_spread(images: Floats, queries: Floats) -> float:
    """The median standard deviation of the scores of (k, d) queries, from their lower half."""
    lower, median = np.percentile(queries @ images.T, (LOWER_SIGMA, 50), axis=1)
    return float(np.median(median - lower))


def _balanced_weights(targets: Floats) -> Floats:
    """Weights with the sum 1 that give both classes the same total."""
    positive = targets.sum()
    weights: Floats = np.where(targets == 1, 0.5 / positive, 0.5 / (len(targets) - positive))
    return weights
