"""Batching and checking around an encoder."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import VectorError, ZeroVectorError
from clipsearch.models.embedding import BATCH, embed_images, embed_texts, encode_pixels
from clipsearch.types import Vectors
from tests.helpers.fakes import ColorEncoder


def test_n_in_n_out_in_order_and_of_length_one(encoder: ColorEncoder) -> None:
    greens = [Image.new("RGB", (4, 4), (255, green, 0)) for green in range(2 * BATCH + 1)]
    vectors = embed_images(encoder, greens)
    assert vectors.shape == (2 * BATCH + 1, 4)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.all(np.diff(vectors[:, 1]) > 0)


def test_nothing_in_nothing_out(encoder: ColorEncoder) -> None:
    assert embed_texts(encoder, []).shape == (0, 4)
    assert embed_images(encoder, []).shape == (0, 4)


def test_too_few_rows_of_a_model_are_an_error(encoder: ColorEncoder) -> None:
    class Forgetful(ColorEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            return super().encode_texts(texts)[1:]

    with pytest.raises(VectorError, match="for 2 inputs"):
        embed_texts(Forgetful(), ["red", "green"])


def test_a_zero_vector_is_an_error(encoder: ColorEncoder) -> None:
    with pytest.raises(ZeroVectorError):
        embed_images(encoder, [Image.new("RGB", (4, 4), "black")])
    assert encode_pixels(encoder, [encoder.preprocess(Image.new("RGB", (4, 4)))]).shape == (1, 4)
