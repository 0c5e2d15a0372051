"""How accuracy grows with the labelled pictures a class, beside the zero-shot point.

The figure of few-shot probes in Radford et al. 2021 (section 3.1.5).
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
    """The accuracy, 0..1, of `seeds` runs: their mean, and its 95 % interval (nan for one run).

    `shots` is how many labelled pictures a class; None for all, 0 for the zero-shot classifier.
    `examples` is how many of them there were in all, on average.
    """

    shots: int | None
    examples: float
    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracies on pictures held out anew for each seed; `tested` is how many those are.

    `inverse_penalty` is the inverse penalty that was chosen for all training pictures.
    """

    points: tuple[LearningCurvePoint, ...]
    zero_shot: LearningCurvePoint | None
    tested: int
    inverse_penalty: float

    @property
    def zero_shot_equivalent(self) -> float | None:
        """How many labelled pictures a class the zero-shot classifier is worth, as the paper reads it.

        Interpolated on the logarithm of the shots; None where the curve does not cross it.
        """
        if self.zero_shot is None:
            return None
        counts = [point for point in self.points if point.shots]
        for before, after in pairwise(counts):
            assert before.shots
            assert after.shots
            if before.mean <= self.zero_shot.mean < after.mean:
                part = (self.zero_shot.mean - before.mean) / (after.mean - before.mean)
                low, high = log2(before.shots), log2(after.shots)
                return float(2 ** (low + part * (high - low)))
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
    """Fit on k rows of each class, and on all, and measure on the rest, for each of some seeds.

    For each seed 30 % of each class, at least one row, are held out; classes with fewer than k
    other rows give all they have, and k beyond the largest class is left out. The penalty is chosen
    by cross-validation within the first seed's k rows. `zero_shot` has its labels in the order of
    the targets. Raises UsageError on wrong numbers and on a class of one row.
    """
    check_shots_and_seeds(shots, seeds)
    sizes = np.bincount(targets)
    if sizes.min() < 2:
        raise UsageError("a class needs two pictures: one to learn from, one to test with")
    largest = int((sizes - _held(sizes)).max())
    wanted: list[int | None] = [k for k in sorted(set(shots)) if k < largest]
    wanted.append(None)
    inverse_penaltys: dict[int | None, float] = {}
    accuracies: dict[int | None, list[float]] = {k: [] for k in (0, *wanted)}
    examples: dict[int | None, list[int]] = {k: [] for k in (0, *wanted)}
    tested = 0
    for seed in range(seeds):
        order = _shuffled(targets, seed)
        test = np.concatenate([rows[:held] for rows, held in zip(order, _held(sizes), strict=True)])
        tested = len(test)
        if zero_shot is not None:
            found = zero_shot.probabilities(features[test]).argmax(axis=1)
            accuracies[0].append(float(np.mean(found == targets[test])))
            examples[0].append(0)
        for k in wanted:
            train = np.concatenate(
                [rows[held:][:k] for rows, held in zip(order, _held(sizes), strict=True)]
            )
            if k not in inverse_penaltys:
                inverse_penaltys[k] = choose_inverse_penalty(
                    features[train], targets[train], seed=seed
                )
            weights, bias = fit_multinomial(
                features[train], targets[train], inverse_penalty=inverse_penaltys[k]
            )
            found = (features[test] @ weights.T + bias).argmax(axis=1)
            accuracies[k].append(float(np.mean(found == targets[test])))
            examples[k].append(len(train))
            progress()
    points = [_point(k, accuracies[k], examples[k]) for k in wanted]
    point = _point(0, accuracies[0], examples[0]) if zero_shot is not None else None
    return LearningCurve(tuple(points), point, tested, inverse_penaltys[None])


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of n values, by Student's t; nan for fewer than two."""
    from scipy.stats import t

    if len(values) < 2:
        return float("nan"), float("nan")
    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    reach = float(t.ppf(0.975, len(values) - 1) * error)
    return float(mean - reach), float(mean + reach)


def check_shots_and_seeds(shots: Sequence[int], seeds: int) -> None:
    """Raise UsageError unless all shots and the number of seeds are at least 1."""
    if any(k < 1 for k in shots):
        raise UsageError(f"the shots of a curve are numbers from 1, not {min(shots)}")
    if seeds < 1:
        raise UsageError(f"at least 1 seed, not {seeds}")


def _held(sizes: Targets) -> Targets:
    """How many rows of each class are for testing: at least one, and not all."""
    held: Targets = np.clip(np.rint(TEST_SHARE * sizes).astype(np.intp), 1, sizes - 1)
    return held


def _shuffled(targets: Targets, seed: int) -> list[Targets]:
    """The rows of each class, in the seed's order."""
    random = np.random.default_rng(seed)
    return [random.permutation(np.flatnonzero(targets == c)) for c in range(targets.max() + 1)]


def _point(
    shots: int | None, accuracies: Sequence[float], examples: Sequence[int]
) -> LearningCurvePoint:
    low, high = confidence_interval(accuracies)
    mean = float(np.mean(accuracies))
    return LearningCurvePoint(shots, float(np.mean(examples)), mean, low, high, len(accuracies))
