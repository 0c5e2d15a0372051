"""Thumbnails of image files."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from clipsearch.errors import ImageError
from clipsearch.images.decode import decode


def thumbnail(path: Path, size: tuple[int, int]) -> Image.Image | str:
    """Return the upright RGB image within `size` (width, height) pixels, or why it failed.

    Smaller images keep their size. A large JPEG is decoded at a reduced size.
    """
    try:
        image = decode(path, min_side=min(size)).image
    except ImageError as error:
        return str(error)
    return shrink(image, size)


def shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Make an image smaller, in place, so that it fits `size` (width, height); return it."""
    image.thumbnail(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image


def thumbnails(paths: Sequence[Path], size: tuple[int, int]) -> Iterator[Image.Image | str]:
    """Yield the `thumbnail` of each path, in order; decoding runs in threads."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(lambda path: thumbnail(path, size), paths)
