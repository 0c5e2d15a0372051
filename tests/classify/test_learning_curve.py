"""The learning curve and its zero-shot point."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.classify import LearningCurve, LearningCurvePoint
from clipsearch.classify.learning_curve import confidence_interval, measure_learning_curve
from clipsearch.errors import UsageError
from clipsearch.types import Vectors
from tests.helpers.labeled_vectors import clusters


def test_the_confidence_interval_is_wilsons_with_students_t() -> None:
    low, high = confidence_interval([0.599, 0.6, 0.601] * 20, 10**9)
    reach = 2.001 * np.std([0.599, 0.6, 0.601] * 20, ddof=1) / 60**0.5  # t, 59 degrees of freedom
    assert low == pytest.approx(0.6 - reach, abs=1e-5)
    assert high == pytest.approx(0.6 + reach, abs=1e-5)
    low, high = confidence_interval([1.0] * 5, 20)
    assert low == pytest.approx(100 / (100 + 2.776445**2), abs=1e-5)  # 4 degrees of freedom
    assert high == 1
    assert np.isnan(confidence_interval([0.5], 10)).all()


@given(st.lists(st.integers(0, 20), min_size=2, max_size=8))
def test_the_confidence_interval_contains_the_mean_within_0_and_1(right: list[int]) -> None:
    values = [count / 20 for count in right]
    low, high = confidence_interval(values, 20)
    assert 0 <= low <= np.mean(values) + 1e-12
    assert np.mean(values) - 1e-12 <= high <= 1
    assert low < high


def test_the_curve_rises_with_the_shots() -> None:
    features, targets = clusters((40, 40, 12), spread=0.9, dim=16)
    curve = measure_learning_curve(features, targets, shots=(1, 4, 16, 64), seeds=4)
    assert [point.shots for point in curve.points] == [1, 4, 16, None]  # no class has 64
    assert [point.examples for point in curve.points] == [3, 12, 40, 64]  # 16 + 16 + all 8
    assert curve.tested == 12 + 12 + 4
    first, *_, last = curve.points
    assert first.mean < last.mean
    assert all(point.low <= point.mean <= point.high for point in curve.points)
    assert curve.zero_shot is None
    assert curve.zero_shot_equivalent is None
    again = measure_learning_curve(features, targets, shots=(1, 4, 16, 64), seeds=4)
    assert again == curve


def test_zero_shot_is_tested_on_the_same_images_and_compared_in_examples() -> None:
    def point(shots: int | None, mean: float) -> LearningCurvePoint:
        return LearningCurvePoint(shots, 1, mean, mean, mean, 1)

    curve = LearningCurve((point(1, 0.4), point(4, 0.8), point(None, 0.9)), point(0, 0.6), 10, 1)
    # Half way between 1 and 4 on the logarithm.
    assert curve.zero_shot_equivalent == pytest.approx(2)
    for outside in (0.3, 0.85, 1.0):
        assert replace(curve, zero_shot=point(0, outside)).zero_shot_equivalent is None

    class Always:
        labels = ("a", "b")

        def probabilities(self, vectors: Vectors) -> Vectors:
            return np.tile(np.array([1, 0], dtype=np.float32), (len(vectors), 1))

    features, targets = clusters((10, 30))
    found = measure_learning_curve(features, targets, seeds=2, zero_shot=Always())
    assert found.zero_shot is not None
    assert found.zero_shot.mean == pytest.approx(3 / 12)


@settings(max_examples=15)
@given(st.lists(st.integers(2, 9), min_size=2, max_size=5))
def test_every_class_is_fitted_and_tested_at_any_size(sizes: list[int]) -> None:
    features, targets = clusters(tuple(sizes), spread=0.05)
    curve = measure_learning_curve(features, targets, shots=(1, 2), seeds=1)
    assert curve.points[-1].examples + curve.tested == sum(sizes)
    assert curve.points[-1].mean > 0.5


def test_invalid_numbers_raise_usage_error() -> None:
    features, targets = clusters((1, 5))
    with pytest.raises(UsageError, match="two images"):
        measure_learning_curve(features, targets)
    for options in ({"shots": (0,)}, {"seeds": 0}):
        with pytest.raises(UsageError, match="1"):
            measure_learning_curve(*clusters((5, 5)), **options)
