"""Synthetic JPEGs that cost a decoder as much as those of a camera.

Natural images have an amplitude that falls with the inverse of the frequency. Sharp edges and
sensor noise are added. At quality 92 an image of 12 megapixels takes 3 to 4 MB, as from a phone.
"""

from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

LARGE = (4032, 3024)
SMALL = (500, 375)
NOISE = 5.0
"""Standard deviation, of 255."""
SHAPES = 12
QUALITY = 92


def make_images(folder: Path, count: int, size: tuple[int, int], seed: int = 0) -> Path:
    """Fill a folder with `count` different JPEGs of `size` (width, height); existing files stay."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count) if not _file(folder, number).exists()]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_save_image, repeat(folder), repeat(size), repeat(seed), missing))
    return folder


def draw_image(size: tuple[int, int], seed: int) -> Image.Image:
    """Draw one image; the same seed gives the same image."""
    random = np.random.default_rng(seed)
    width, height = size
    quarter = (width // 4, height // 4)  # finer details are noise only
    smooth = np.zeros((*quarter[::-1], 3), dtype=np.float32)
    cells = 2
    while cells * 4 <= min(quarter):
        coarse = random.standard_normal((cells, cells * width // height, 3)) / cells
        smooth += _enlarge(coarse.astype(np.float32), quarter)
        cells *= 2
    smooth = 120 + 45 * smooth / smooth.std()
    image = Image.fromarray(smooth.clip(0, 255).astype(np.uint8)).resize(size)
    draw = ImageDraw.Draw(image)
    for _ in range(SHAPES):
        left, top = random.integers(0, width), random.integers(0, height)
        right, bottom = left + random.integers(1, width // 3), top + random.integers(1, height // 3)
        color = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((int(left), int(top), int(right), int(bottom)), fill=color)
    noisy = np.asarray(image, dtype=np.float32)
    noisy += random.standard_normal((height, width, 1), dtype=np.float32) * NOISE
    return Image.fromarray(noisy.clip(0, 255, out=noisy).astype(np.uint8))


def _save_image(folder: Path, size: tuple[int, int], seed: int, number: int) -> None:
    path = _file(folder, number)
    unfinished = path.with_suffix(".part")
    draw_image(size, seed + number).save(unfinished, "JPEG", quality=QUALITY)
    unfinished.rename(path)


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.jpg"


def _enlarge(coarse: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    channels = [
        Image.fromarray(np.ascontiguousarray(coarse[..., channel])).resize(
            size, Image.Resampling.BICUBIC
        )
        for channel in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
