"""Arithmetic on embeddings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clipsearch.errors import UsageError, VectorError, ZeroVectorError
from clipsearch.types import Vectors
from clipsearch.vectors import normalize, weighted_sum

finite_rows = arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 16)),
    elements=st.floats(-(2.0**90), 2.0**90, width=32).map(lambda x: 0.0 if abs(x) < 1e-6 else x),
)


@given(finite_rows)
def test_rows_get_length_one_and_keep_their_direction(rows: Vectors) -> None:
    if not rows.any(axis=1).all():
        with pytest.raises(ZeroVectorError):
            normalize(rows)
        return
    unit = normalize(rows)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit.astype(np.float64), axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(np.sign(unit[rows != 0]) >= 0, rows[rows != 0] >= 0)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_zero_or_non_finite_row_is_rejected_and_named(bad: float) -> None:
    rows = np.array([[1, 2], [bad, 0]], dtype=np.float32)
    with pytest.raises(ZeroVectorError, match="row 1 of 2"):
        normalize(rows)


def test_a_weighted_sum_adds_unit_vectors() -> None:
    east, north = np.array([3, 0], np.float32), np.array([0, 0.1], np.float32)
    np.testing.assert_allclose(
        weighted_sum([east, north], [1, 1]), [np.sqrt(0.5), np.sqrt(0.5)], atol=1e-6
    )
    np.testing.assert_allclose(
        weighted_sum([east, north], [2, -1]), [0.894427, -0.447214], atol=1e-5
    )


def test_terms_that_cancel_out_are_an_error() -> None:
    dog = normalize(np.random.default_rng(0).normal(size=512))
    with pytest.raises(ZeroVectorError, match="cancel"):
        weighted_sum([dog, dog], [1, -1])
    with pytest.raises(UsageError, match="every weight is 0"):
        weighted_sum([dog], [0])
    np.testing.assert_array_equal(weighted_sum([dog, -dog], [1, 0]), dog)


def test_weights_must_be_finite_and_one_per_vector() -> None:
    dog = np.ones(4, np.float32)
    with pytest.raises(UsageError, match="finite"):
        weighted_sum([dog], [float("nan")])
    with pytest.raises(VectorError, match="1 vectors and 2 weights"):
        weighted_sum([dog], [1, 2])
