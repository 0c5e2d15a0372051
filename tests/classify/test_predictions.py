"""Softmax, sorted predictions and thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.classify import (
    ClassMatrix,
)
from clipsearch.classify.class_matrix import build_class_matrix
from clipsearch.classify.predictions import Prediction, classify_rows, softmax
from tests.helpers.fakes import ColorEncoder
from tests.helpers.records import row


def matrix(
    encoder: ColorEncoder, *labels: str, templates: tuple[str, ...] = ("{}",)
) -> ClassMatrix:
    return build_class_matrix(labels, templates, model=encoder.identity, encoder=lambda: encoder)


@given(
    st.lists(
        st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=5
    )
)
def test_softmax_never_overflows_and_adds_up_to_one(rows: list[list[float]]) -> None:
    found = softmax(rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    best = np.take_along_axis(found, np.argmax(rows, axis=1)[:, None], axis=1)
    assert np.all(best >= found.max(axis=1, keepdims=True) - 1e-6)


def test_predictions_are_sorted_limited_and_without_label_below_the_threshold(
    encoder: ColorEncoder,
) -> None:
    classes = matrix(encoder, "red", "green", "blue")
    rows = [row("/a.jpg", (1, 0, 0, 0)), row("/b.jpg", (1, 1, 0, 0))]
    sure, unsure = classify_rows(rows, classes, top=2, threshold=0.9)
    assert sure.label == "red"
    assert unsure.label is None
    assert [p.label for p in unsure.predictions] == ["red", "green"]  # equal: the first one first
    assert sure.predictions[0] == Prediction("red", sure.predictions[0].probability)
    assert sure.predictions[0].probability == pytest.approx(1, abs=0.01)
    whole = next(classify_rows(rows, classes))
    assert sum(p.probability for p in whole.predictions) == pytest.approx(1)
    assert list(classify_rows([], classes)) == []
