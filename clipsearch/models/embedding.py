"""From images and texts to unit vectors: batching and checks, once for all models."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from PIL.Image import Image
from PIL.Image import new as new_image

from clipsearch import arguments
from clipsearch.address_space import IMAGES, require_address_space
from clipsearch.batching import batches
from clipsearch.errors import UsageError, VectorError
from clipsearch.images.memory import fit_to_process, is_tight
from clipsearch.models.base import Encoder
from clipsearch.types import Pixels, Vectors
from clipsearch.vectors import normalize

T = TypeVar("T")

BATCH = 64


def make_room_for_decoding(encoder: Encoder) -> None:
    """Give decoding the memory that the model and the store leave of `--max-memory`.

    Models load their image tower with the first image. If memory is tight, that happens now;
    otherwise while images are decoded.
    """
    require_address_space(IMAGES, "embed images")
    if is_tight():
        side = encoder.input_size
        encode_pixels(encoder, [encoder.preprocess(new_image("RGB", (side, side)))])
    fit_to_process()


def encode_pixels(encoder: Encoder, pixels: Sequence[Pixels]) -> Vectors:
    """Encode one batch of preprocessed images as (n, d) float32, not normalized.

    Raises VectorError unless the model returns exactly one row per image.
    """
    return _check_shape(encoder.encode_images(pixels), len(pixels), encoder.identity.dim)


def embed_images(encoder: Encoder, images: Sequence[Image]) -> Vectors:
    """Embed upright RGB images as (n, d) float32 of length 1, in order."""

    def encode(batch: Sequence[Image]) -> Vectors:
        return encode_pixels(encoder, [encoder.preprocess(image) for image in batch])

    return _embed(encode, images, encoder.identity.dim)


def embed_texts(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """Embed texts as (n, d) float32 of length 1, in order; a single str counts as one text.

    Raises UsageError on anything else, and on text that is not valid Unicode.
    """
    texts = arguments.texts("texts", texts)
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:  # a lone surrogate, which tokenizers do not take
            raise UsageError(f"the text is not valid Unicode: {arguments.show(text)}") from error

    def encode(batch: Sequence[str]) -> Vectors:
        return _check_shape(encoder.encode_texts(batch), len(batch), encoder.identity.dim)

    return _embed(encode, texts, encoder.identity.dim)


def _embed(encode: Callable[[Sequence[T]], Vectors], items: Sequence[T], dim: int) -> Vectors:
    if not items:
        return np.empty((0, dim), dtype=np.float32)
    return normalize(np.concatenate([encode(batch) for batch in batches(items, BATCH)]))


def _check_shape(vectors: Vectors, count: int, dim: int) -> Vectors:
    if vectors.shape != (count, dim):
        raise VectorError(
            f"the model returned an array of shape {vectors.shape} for {count} inputs of "
            f"{dim} dimensions"
        )
    return vectors
