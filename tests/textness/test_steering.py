"""Queries shifted along the bias or orthogonal to it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clipsearch.errors import UsageError, VectorError
from clipsearch.textness import TextnessProbe, project_out, shift_query
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from tests.helpers.synthetic_embeddings import SyntheticEmbeddings


def test_scale_0_returns_the_same_bits(world: SyntheticEmbeddings, probe: TextnessProbe) -> None:
    query = world.queries(1)[0]
    assert shift_query(query, probe.bias, 0).tobytes() == query.tobytes()
    assert shift_query(query, probe.bias, -0.0).tobytes() == query.tobytes()


@given(scale=st.floats(-10, 10), query=arrays(np.float32, 8, elements=st.floats(-1, 1, width=32)))
def test_a_shifted_query_is_the_normalized_sum(scale: float, query: Vectors) -> None:
    if np.linalg.norm(query) < 0.1:
        query = np.eye(8, dtype=np.float32)[0]
    query, bias = normalize(query), np.linspace(-0.2, 0.3, 8, dtype=np.float32)
    shifted = shift_query(query, bias, scale)
    assert shifted.dtype == np.float32
    assert np.linalg.norm(shifted) == pytest.approx(1, abs=1e-5)
    assert shifted == pytest.approx(normalize(query + scale * bias), abs=1e-5)


@pytest.mark.parametrize("scale", [1e308, -1e308])
def test_the_largest_scales_return_the_bias(probe: TextnessProbe, scale: float) -> None:
    shifted = shift_query(np.eye(len(probe.bias), dtype=np.float32)[0], probe.bias, scale)
    assert shifted == pytest.approx(np.sign(scale) * normalize(probe.bias), abs=1e-6)


def test_a_projected_query_is_orthogonal_to_the_bias(
    world: SyntheticEmbeddings, probe: TextnessProbe
) -> None:
    query = normalize(world.queries(1)[0] + probe.bias)
    rest = project_out(query, probe.bias)
    assert np.linalg.norm(rest) == pytest.approx(1, abs=1e-6)
    assert rest @ probe.bias == pytest.approx(0, abs=1e-6)
    assert project_out(rest, probe.bias) == pytest.approx(rest, abs=1e-6)


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -float("inf")])
def test_a_non_finite_scale_raises_usage_error(probe: TextnessProbe, scale: float) -> None:
    with pytest.raises(UsageError, match="finite"):
        shift_query(probe.bias, probe.bias, scale)


def test_a_bias_of_another_dimension_raises_vector_error(probe: TextnessProbe) -> None:
    other = np.ones(7, dtype=np.float32)
    with pytest.raises(VectorError, match="different models"):
        shift_query(other, probe.bias, 1)
    with pytest.raises(VectorError, match="different models"):
        project_out(other, probe.bias)
    with pytest.raises(VectorError, match="different models"):
        probe.score(np.ones((3, 7), dtype=np.float32))
