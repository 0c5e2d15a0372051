"""Images at the resolution of a textness fit: loaded small, in threads, and embedded."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL.Image import Image

from clipsearch.batching import batches
from clipsearch.cpu import available
from clipsearch.errors import ImageError
from clipsearch.images.decode import decode, upright
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, embed_images
from clipsearch.types import Vectors

S = TypeVar("S")
T = TypeVar("T")

log = logging.getLogger("clipsearch")

SIDE_RATIO = 10 / 7
"""The shorter side of a fit's images relative to the model's input size: 320 pixels for 224. The
smallest drawn letters are then equally small for every model, and none too small for it."""

MIN_SIDE = 160
"""Pixels, for any model: smaller images have no room for varied text."""


def working_side(encoder: Encoder) -> int:
    """The largest shorter side in pixels of the images of a fit."""
    return max(MIN_SIDE, round(SIDE_RATIO * encoder.input_size))


def load_resized(path: Path, side: int) -> Image:
    """Decode an image with a shorter side of at most `side` pixels; raises ImageError."""
    return _shrink(decode(path, min_side=side).image, side)


def embed_image_files(encoder: Encoder, images: Iterable[Image | Path]) -> Vectors:
    """Embed images and image files at the working size: (n, d) float32 of length 1.

    Files that cannot be read are left out with a warning.
    """
    prepare = partial(_prepare, side=working_side(encoder))
    prepared = (image for image in map_in_threads(prepare, images) if image is not None)
    parts = [embed_images(encoder, batch) for batch in batches(prepared, BATCH)]
    return np.concatenate(parts) if parts else embed_images(encoder, [])


def map_in_threads(function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """The results in order; at most one batch of items is read ahead."""
    with ThreadPoolExecutor(available()) as pool:  # Pillow releases the GIL
        for batch in batches(items, BATCH):
            yield from pool.map(function, batch)


def _prepare(image: Image | Path, side: int) -> Image | None:
    if not isinstance(image, Path):
        return _shrink(upright(image), side)
    try:
        return load_resized(image, side)
    except ImageError as error:
        log.warning("skipped %s: %s", image, error)
        return None


def _shrink(image: Image, side: int) -> Image:
    scale = side / min(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), reducing_gap=2.0)
