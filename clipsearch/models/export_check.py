"""Synthetic images and texts on which a converted model is compared with the original."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from clipsearch.errors import VectorError
from clipsearch.models.base import Encoder
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

if TYPE_CHECKING:
    from PIL.Image import Image

PROMPTS = (
    "",
    "a",
    "a dog running on the beach",
    "Größe, Café & naïve: 50 % off!",
    "砂浜を走る犬, 夜の東京タワー, собака бежит по пляжу 🐕",
    "a photo of two people who play tennis in front of a large crowd, in the evening sun",
    "a very long text " * 40,
)


@cache
def synthetic_images(count: int = 4) -> "tuple[Image, ...]":
    """Upright RGB images of several shapes, with detail from a few pixels to the whole width."""
    from PIL import Image

    random = np.random.default_rng(0)
    images = []
    for number in range(count):
        height, width = (301, 427) if number % 2 else (320, 240)
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
        canvas = np.zeros((height, width, 3), np.float32)
        for octave in range(7):  # as in natural images, the amplitude falls with the frequency
            fx, fy = random.normal(size=2) * 2.0**octave
            phase = random.uniform(0, 2 * np.pi, 3).astype(np.float32)
            wave = np.sin(2 * np.pi * (fx * x + fy * y)[..., None] + phase)
            canvas += wave * np.float32(random.uniform(0.3, 1) / 1.6**octave)
        for _ in range(number * 3):  # objects with edges
            cx, cy, radius = random.uniform(0, 1, 3) * (1, 1, 0.3)
            canvas[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = random.normal(size=3)
        images.append(Image.fromarray(np.uint8(np.clip(128 + 60 * canvas, 0, 255))))
    return tuple(images)


def embed_test_inputs(encoder: Encoder) -> Vectors:
    """The vectors of the test images, then of the test texts, (n, d) float32."""
    pixels = [encoder.preprocess(image) for image in synthetic_images()]
    return np.concatenate([encoder.encode_images(pixels), encoder.encode_texts(PROMPTS)])


def min_cosine(vectors: Vectors, expected: Vectors) -> float:
    """The smallest cosine between corresponding rows; -1 if a vector is zero or not finite.

    Rows are skipped if the expected vector is zero or not finite, as some models return for an
    empty text.
    """
    usable = np.isfinite(expected).all(axis=1) & np.any(expected, axis=1)
    try:
        return float(np.sum(normalize(vectors[usable]) * normalize(expected[usable]), axis=1).min())
    except VectorError:
        return -1.0
