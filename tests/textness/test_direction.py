"""The separation of held-out images along the direction of text."""

import numpy as np
import pytest

from clipsearch.textness.direction import HeldOutDistances


def test_auc_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 20, 60) / 1.0, rng.integers(-5, 15, 70) / 1.0
    pairs = (a[:, None] > b).mean() + (a[:, None] == b).mean() / 2
    assert HeldOutDistances(a, b).auc() == pytest.approx(pairs)
