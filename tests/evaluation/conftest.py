"""Image folders, captions and encoders that the evaluations share."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from clipsearch.evaluation import CaptionedImage
from clipsearch.types import Pixels, Vectors
from tests.helpers.fakes import ColorEncoder, draw

COLORS = ("red", "green", "blue")
RIGHT = [CaptionedImage(f"{c}.png", (f"{c} wall", f"a {c} square")) for c in COLORS]


class CountingProgress:
    """A progress bar that counts the finished items."""

    total: float | None = None
    done = 0.0

    def update(self, n: float) -> object:
        self.done += n
        return None


class RoundedEncoder(ColorEncoder):
    """The same model in a coarse precision."""

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        return np.asarray(np.round(super().encode_images(pixels) / 8) * 8, dtype=np.float32)


class WrongEncoder(ColorEncoder):
    """Another model, which mistakes each color for another one."""

    def __init__(self) -> None:
        super().__init__(weights="b11d")

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        return np.roll(255 - super().encode_images(pixels), 1, axis=1)


@pytest.fixture
def captions(image_folder: Path) -> Path:
    """A caption file beside the three images."""
    path = image_folder / "captions.jsonl"
    lines = [{"file": image.file, "captions": image.captions} for image in RIGHT]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """A folder of 30 images of different colors."""
    random = np.random.default_rng(0)
    for number in range(30):
        red, green, blue = (int(value) for value in random.integers(10, 250, 3))
        draw(tmp_path / "shades" / f"{number:02}.png", (red, green, blue))
    return tmp_path / "shades"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Class folders of two images each."""
    for color in COLORS:
        for number in range(2):
            draw(tmp_path / "classes" / color / f"{number}.png", color, size=(32, 24 + number))
    return tmp_path / "classes"
