"""Logistic regression, against scikit-learn and its optimality conditions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from clipsearch.logistic_regression import choose_inverse_penalty, fit_binary, fit_multinomial
from tests.helpers.labeled_vectors import clusters, probe_of


def test_a_fit_is_what_scikit_learn_finds_on_the_scaled_features() -> None:
    from sklearn.linear_model import LogisticRegression

    features, targets = clusters((15, 25, 10))
    centred = features - features.mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=1).mean())
    naive = LogisticRegression(C=3, max_iter=5000, tol=1e-8).fit(scaled, targets)
    weights, bias = fit_multinomial(features, targets, inverse_penalty=3)
    ours = probe_of(features, targets, "a", "b", "c")
    ours = replace(ours, weights=weights, bias=bias)
    np.testing.assert_allclose(ours.probabilities(features), naive.predict_proba(scaled), atol=5e-3)


def test_equal_features_and_wide_ones_can_be_fitted() -> None:
    same = np.tile(np.eye(4, dtype=np.float32)[0], (4, 1))
    weights, bias = fit_multinomial(same, np.array([0, 0, 1, 1]), inverse_penalty=1)
    assert np.all(np.isfinite(weights))
    assert np.all(np.isfinite(bias))


def test_the_penalty_is_chosen_by_cross_validation() -> None:
    clean, targets = clusters((30, 30), spread=0.1)
    noisy, _ = clusters((30, 30), spread=2.0)
    assert choose_inverse_penalty(clean, targets, seed=0) > choose_inverse_penalty(
        noisy, targets, seed=0
    )
    one_each = np.array([0, 1])
    assert choose_inverse_penalty(clean[[0, 30]], one_each, seed=0) > 0  # nothing to hold out


def test_logistic_regression_ends_where_its_gradient_is_zero() -> None:
    rng = np.random.default_rng(0)
    rows, wanted = rng.standard_normal((80, 5)), rng.integers(0, 2, 80) / 1.0
    weights = np.full(80, 1 / 80)
    for penalty in (1e-4, 0.1, 10):
        solution, intercept = fit_binary(rows, wanted, weights, penalty=penalty)
        error = weights * (expit(rows @ solution + intercept) - wanted)
        assert rows.T @ error + penalty * solution == pytest.approx(0, abs=1e-6)
        assert error.sum() == pytest.approx(0, abs=1e-6)
