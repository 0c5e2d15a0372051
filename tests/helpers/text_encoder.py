"""A fake encoder whose image vectors depend on drawn text, and images with and without text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch.models.base import ModelIdentity
from clipsearch.models.crop import CenterCrop
from clipsearch.textness import TextRenderer
from clipsearch.types import Pixels, Vectors
from tests.helpers.fakes import add_colors

SIDE = 160
IMAGES_WITH_TEXT, IMAGES_WITHOUT_TEXT = 20, 80  # in the collection of the textness tests
IMAGES_PER_CLASS = 50  # of their fits, fewer than by default to save time


class EdgeEncoder:
    """Embeds an image as its mean color, its share of edges, and a constant.

    Letters have many edges and the test images few, so the fourth number stands for text. A text is
    embedded as the colors that it names, and as text if it contains the word "text".
    """

    def __init__(self, weights: str = "0ead5") -> None:
        self.identity = ModelIdentity(
            name="pocket", dim=5, weights=weights, preprocessing="edges", precision="fp32"
        )
        self.logit_scale = 10.0
        self.input_size = 256
        self.center_crop = CenterCrop()
        self.embedded_images = 0

    def preprocess(self, image: Image.Image) -> Pixels:
        return np.asarray(image.resize((SIDE, SIDE)), dtype=np.uint8)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        self.embedded_images += len(pixels)
        stack = np.stack(pixels).astype(np.float32) / 255
        means = stack.mean(axis=(1, 2))
        strokes = np.abs(np.diff(stack, n=2, axis=2)).max(axis=3)  # one or two pixels wide
        edges = np.sqrt((strokes > 0.3).mean(axis=(1, 2)))
        return np.column_stack([means, edges, np.full(len(means), 0.3)]).astype(np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        rows = [[*np.divide(add_colors(t), 255), "text" in t.split(), 0.3] for t in texts]
        return np.asarray(rows, dtype=np.float32)


def draw_images(folder: Path, count: int, *, text: bool) -> Path:
    """Draw plain images of many colors, `{number}.png`, with or without text on them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng([text, number])
        corners = rng.integers(40, 216, (1, 1, 3)) + rng.integers(-30, 30, (2, 2, 3))
        image = Image.fromarray(corners.astype(np.uint8), "RGB").resize((160, 120))
        if text:
            image = TextRenderer(fonts=()).render(image, rng)
        image.save(folder / f"{number:03}.png")
    return folder
