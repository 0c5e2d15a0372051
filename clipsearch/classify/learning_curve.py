"""Learning curve: how accuracy grows with the labeled images per class, next to zero-shot.

It is the few-shot figure of Radford et al. 2021 (section 3.1.5).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2

import numpy as np

from clipsearch.classify.predictions import Classifier
from clipsearch.errors import UsageError
from clipsearch.logistic_regression import Targets, choose_inverse_penalty, fit_multinomial
from clipsearch.types import Vectors

SHOTS = (1, 2, 4, 8, 16)
SEEDS = 5
TEST_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class LearningCurvePoint:
    """The accuracy, 0..1, of `seeds` runs: the mean and its 95 % interval (nan for one run).

    `shots` is the number of labeled images per class; None for all, 0 for the zero-shot classifier.
    `examples` is their total number, averaged over the runs.
    """

    shots: int | None
    examples: float
    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracies on images that are held out anew for each seed; `tested` is their number.

    `inverse_penalty` is the one chosen for all training images.
    """

    points: tuple[LearningCurvePoint, ...]
    zero_shot: LearningCurvePoint | None
    tested: int
    inverse_penalty: float

    @property
    def zero_shot_equivalent(self) -> float | None:
        """The number of labeled images per class at which a probe matches the zero-shot accuracy.

        Interpolated on the logarithm of the shots; None if the curve does not cross that accuracy.
        """
        if self.zero_shot is None:
            return None
        counts = [point for point in self.points if point.shots]
        for before, after in pairwise(counts):
            assert before.shots
            assert after.shots
            if before.mean <= self.zero_shot.mean < after.mean:
                fraction = (self.zero_shot.mean - before.mean) / (after.mean - before.mean)
                low, high = log2(before.shots), log2(after.shots)
                return float(2 ** (low + fraction * (high - low)))
        return None


def measure_learning_curve(
    features: Vectors,
    targets: Targets,
    *,
    shots: Sequence[int] = SHOTS,
    seeds: int = SEEDS,
    zero_shot: Classifier | None = None,
    progress: Callable[[], object] = lambda: None,
) -> LearningCurve:
    """Fit on k rows of each class, and on all, and test on held-out rows, for several seeds.

    For each seed, 30 % of each class (at least one row) is held out. Classes with fewer than k
    other rows contribute all they have; a k beyond the largest class is left out. The penalty for k
    is cross-validated on the rows of the first seed. The labels of `zero_shot` are in the order of
    the targets. Raises UsageError if the shots or seeds are below 1 or a class has one row.
    """
    check_shots_and_seeds(shots, seeds)
    sizes = np.bincount(targets)
    if sizes.min() < 2:
        raise UsageError("a class needs two images: one to fit and one to test")
    largest = int((sizes - _held_out_counts(sizes)).max())
    shot_counts: list[int | None] = [k for k in sorted(set(shots)) if k < largest]
    shot_counts.append(None)
    penalties: dict[int | None, float] = {}
    accuracies: dict[int | None, list[float]] = {k: [] for k in (0, *shot_counts)}
    examples: dict[int | None, list[int]] = {k: [] for k in (0, *shot_counts)}
    tested = 0
    for seed in range(seeds):
        split = list(zip(_shuffled_classes(targets, seed), _held_out_counts(sizes), strict=True))
        test = np.concatenate([rows[:held_out] for rows, held_out in split])
        tested = len(test)
        if zero_shot is not None:
            predicted = zero_shot.probabilities(features[test]).argmax(axis=1)
            accuracies[0].append(float(np.mean(predicted == targets[test])))
            examples[0].append(0)
        for k in shot_counts:
            train = np.concatenate([rows[held_out:][:k] for rows, held_out in split])
            if k not in penalties:
                penalties[k] = choose_inverse_penalty(features[train], targets[train], seed=seed)
            weights, bias = fit_multinomial(
                features[train], targets[train], inverse_penalty=penalties[k]
            )
            predicted = (features[test] @ weights.T + bias).argmax(axis=1)
            accuracies[k].append(float(np.mean(predicted == targets[test])))
            examples[k].append(len(train))
            progress()
    points = [_point(k, accuracies[k], examples[k], tested) for k in shot_counts]
    zero_point = _point(0, accuracies[0], examples[0], tested) if zero_shot is not None else None
    return LearningCurve(tuple(points), zero_point, tested, penalties[None])


def confidence_interval(values: Sequence[float], tested: int) -> tuple[float, float]:
    """The 95 % interval of the mean of n accuracies on `tested` images each; nan for fewer than 2.

    It is Wilson's (1927), so it lies within 0..1, with the quantile of Student's t. The number of
    images is the one that would cause the variance between the runs, at most all of the runs.
    """
    from scipy.stats import t

    if len(values) < 2:
        return float("nan"), float("nan")
    mean, variance = float(np.mean(values)), float(np.var(values, ddof=1)) / len(values)
    most, spread = len(values) * tested, mean * (1 - mean)
    count = min(most, spread / variance) if variance > 0 else most
    square = float(t.ppf(0.975, len(values) - 1)) ** 2
    middle = (mean + square / (2 * count)) / (1 + square / count)
    reach = (square * (spread + square / (4 * count)) / count) ** 0.5 / (1 + square / count)
    return max(0.0, min(mean, middle - reach)), min(1.0, max(mean, middle + reach))


def check_shots_and_seeds(shots: Sequence[int], seeds: int) -> None:
    """Raise UsageError unless all shots and the number of seeds are at least 1."""
    if any(k < 1 for k in shots):
        raise UsageError(f"the shots must be at least 1, not {min(shots)}")
    if seeds < 1:
        raise UsageError(f"the number of seeds must be at least 1, not {seeds}")


def _held_out_counts(sizes: Targets) -> Targets:
    """How many rows of each class are for testing: at least one, and not all."""
    counts: Targets = np.clip(np.rint(TEST_SHARE * sizes).astype(np.intp), 1, sizes - 1)
    return counts


def _shuffled_classes(targets: Targets, seed: int) -> list[Targets]:
    """The row numbers of each class, shuffled by the seed."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(np.flatnonzero(targets == c)) for c in range(targets.max() + 1)]


def _point(
    shots: int | None, accuracies: Sequence[float], examples: Sequence[int], tested: int
) -> LearningCurvePoint:
    low, high = confidence_interval(accuracies, tested)
    mean = float(np.mean(accuracies))
    return LearningCurvePoint(shots, float(np.mean(examples)), mean, low, high, len(accuracies))
