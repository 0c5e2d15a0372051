"""Photographs that nobody took: JPEGs whose content costs a decoder what a camera's does.

Natural pictures have an amplitude that falls with the inverse of the frequency; sharp edges and the
sensor's noise come on top. At quality 92 a picture of 12 megapixels takes 3 to 4 MB, as from a phone.
"""

from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

LARGE = (4032, 3024)
SMALL = (500, 375)
NOISE = 5.0  # standard deviation, of 255


def make(folder: Path, count: int, size: tuple[int, int], seed: int = 0) -> Path:
    """Fill a folder with `count` JPEGs of `size` (width, height), each different; what is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(count) if not _file(folder, n).exists()]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_save, repeat(folder), repeat(size), repeat(seed), missing))
    return folder


def photograph(size: tuple[int, int], seed: int) -> Image.Image:
    """One picture, the same for the same seed."""
    random = np.random.default_rng(seed)
    width, height = size
    quarter = (width // 4, height // 4)  # finer than that there is only noise
    smooth = np.zeros((*quarter[::-1], 3), dtype=np.float32)
    cells = 2
    while cells * 4 <= min(quarter):
        coarse = random.standard_normal((cells, cells * width // height, 3)) / cells
        smooth += _enlarged(coarse.astype(np.float32), quarter)
        cells *= 2
    smooth = 120 + 45 * smooth / smooth.std()
    picture = Image.fromarray(smooth.clip(0, 255).astype(np.uint8)).resize(size)
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        left, top = random.integers(0, width), random.integers(0, height)
        right, bottom = left + random.integers(1, width // 3), top + random.integers(1, height // 3)
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((int(left), int(top), int(right), int(bottom)), fill=colour)
    noisy = np.asarray(picture, dtype=np.float32)
    noisy += random.standard_normal((height, width, 1), dtype=np.float32) * NOISE
    return Image.fromarray(noisy.clip(0, 255, out=noisy).astype(np.uint8))


def _save(folder: Path, size: tuple[int, int], seed: int, number: int) -> None:
    path = _file(folder, number)
    unfinished = path.with_suffix(".part")
    photograph(size, seed + number).save(unfinished, "JPEG", quality=92)
    unfinished.rename(path)


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.jpg"


def _enlarged(coarse: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    planes = [
        Image.fromarray(np.ascontiguousarray(coarse[..., band])).resize(
            size, Image.Resampling.BICUBIC
        )
        for band in range(3)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)
