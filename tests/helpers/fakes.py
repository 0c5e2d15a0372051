"""A fake encoder whose vectors can be computed by hand, and images for it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch.models.base import ModelIdentity
from clipsearch.models.crop import CenterCrop
from clipsearch.types import Pixels, Vectors

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}


class ColorEncoder:
    """Embeds an image as its mean red, green and blue, and a text as the colors that it names.

    A black image becomes the zero vector, which no real model returns and no store may hold.
    """

    def __init__(self, weights: str = "c0105", name: str = "pocket") -> None:
        self.identity = ModelIdentity(
            name=name, dim=4, weights=weights, preprocessing="mean color", precision="fp32"
        )
        self.logit_scale = 10.0
        self.input_size = 256
        self.center_crop = CenterCrop()
        self.embedded_images = 0
        self.embedded_texts = 0

    def preprocess(self, image: Image.Image) -> Pixels:
        return np.asarray(image.resize((4, 4)), dtype=np.uint8)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        self.embedded_images += len(pixels)
        means = np.stack([image.reshape(-1, 3).mean(axis=0) for image in pixels])
        return np.pad(means, ((0, 0), (0, 1))).astype(np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.embedded_texts += len(texts)
        rows = [[*add_colors(text), 1] for text in texts]
        return np.asarray(rows, dtype=np.float32)


def add_colors(text: str) -> tuple[int, int, int]:
    """The sum of the colors that a text names."""
    named = [COLORS[word] for word in text.split() if word in COLORS]
    return (
        sum(color[0] for color in named),
        sum(color[1] for color in named),
        sum(color[2] for color in named),
    )


def draw(
    path: Path, color: str | tuple[int, int, int] = "red", *, size: tuple[int, int] = (32, 24)
) -> Path:
    """Write an image of one color, in the format that the suffix names, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path
