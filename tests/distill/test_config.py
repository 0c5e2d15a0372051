"""The training configuration and its schedules, as in the reference article."""

import numpy as np
import pytest

from clipsearch.distill.config import (
    PEAK_LEARNING_RATE,
    TrainingConfig,
    cache_key,
    is_held_out,
    learning_rate,
    temperature,
)


def test_the_schedules_are_those_of_the_article() -> None:
    assert [temperature(epoch) for epoch in (0, 9, 10, 29)] == [4, 4, 2, 2]
    rates = [learning_rate(step, 200) for step in range(200)]
    assert max(rates) == pytest.approx(PEAK_LEARNING_RATE)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[0] < rates[5] < rates[9]
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < PEAK_LEARNING_RATE / 100
    assert TrainingConfig().heads is None


def test_about_the_given_share_is_held_out() -> None:
    held_out = [is_held_out(cache_key(number), 0.1) for number in range(2000)]
    assert 0.07 < np.mean(held_out) < 0.13
