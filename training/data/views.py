"""Augmented views of an image: as in the product, mirrored, and a random crop."""

import math
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling, Transpose

from clipsearch.images.decode import decode
from clipsearch.models.pocket.encoder import INPUT_SHAPE, INPUT_SIZE, PocketEncoder

VIEWS = 3
AREA = (0.5, 1.0)  # share of the image that a crop keeps
ASPECT = (0.75, 1.33)  # of a crop relative to the image's own
DESCRIPTION = f"{VIEWS} views: squashed, mirrored, crop of {AREA} and {ASPECT}"


def views(image: Image, seed: int) -> NDArray[np.uint8]:
    """Return (VIEWS, 224, 224, 3) RGB; the crop is the same for the same seed."""
    whole = PocketEncoder().preprocess(image)
    draw = random.Random(seed)
    area = draw.uniform(*AREA)
    stretch = math.exp(draw.uniform(*map(math.log, ASPECT)))
    across, down = min(1.0, math.sqrt(area * stretch)), min(1.0, math.sqrt(area / stretch))
    left, top = draw.uniform(0, 1 - across), draw.uniform(0, 1 - down)
    width, height = image.size
    box = (left * width, top * height, (left + across) * width, (top + down) * height)
    part = image.resize((INPUT_SIZE, INPUT_SIZE), Resampling.BICUBIC, box=box, reducing_gap=3.0)
    if draw.random() < 0.5:
        part = part.transpose(Transpose.FLIP_LEFT_RIGHT)
    return np.stack([whole, whole[:, ::-1], np.asarray(part, dtype=np.uint8)])


def whole_images(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Preprocess image files as in the product: (n, 224, 224, 3) uint8."""
    batch = np.empty((len(paths), *INPUT_SHAPE), np.uint8)
    preprocess = PocketEncoder().preprocess
    with ThreadPoolExecutor(2) as pool:
        for row, pixels in enumerate(pool.map(lambda at: preprocess(decode(at).image), paths)):
            batch[row] = pixels
    return batch
