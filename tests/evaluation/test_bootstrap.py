"""Bootstrap intervals: coverage, groups and medians."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.evaluation.bootstrap import estimate_means, estimate_median


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(100):
        [estimate] = estimate_means(random.random((60, 1)) < 0.4, resamples=200)
        assert estimate.low is not None
        assert estimate.high is not None
        inside += estimate.low <= 0.4 <= estimate.high
    assert 88 <= inside <= 100


def test_captions_of_one_image_are_not_independent() -> None:
    values = np.repeat([[0.0], [1.0]] * 10, 50, axis=0)  # 20 images, 50 captions each, all alike
    [ungrouped] = estimate_means(values)
    [grouped] = estimate_means(values, np.repeat(np.arange(20), 50))
    assert ungrouped.value == grouped.value == 0.5
    assert ungrouped.high is not None
    assert grouped.high is not None
    assert grouped.high - 0.5 > 5 * (ungrouped.high - 0.5)


def test_the_same_data_give_the_same_interval() -> None:
    values = np.random.default_rng(1).random((30, 2))
    assert estimate_means(values) == estimate_means(values)


def test_the_median_has_an_interval() -> None:
    estimate = estimate_median([1, 2, 3, 4, 100])
    assert estimate.value == 3
    assert estimate.low is not None
    assert estimate.high is not None
    assert 1 <= estimate.low <= 3 <= estimate.high <= 100
    assert estimate_median([1, 4]).value == 2.5


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 10))
def test_the_interval_of_a_median_lies_among_the_values(values: list[int], groups: int) -> None:
    estimate = estimate_median(values, np.arange(len(values)) % groups, resamples=50)
    assert estimate.value == np.median(values)
    assert estimate.low is not None
    assert estimate.high is not None
    assert min(values) <= estimate.low <= estimate.high <= max(values)
