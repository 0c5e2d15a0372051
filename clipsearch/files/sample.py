"""A few images of a large set, as a sample of what a user has."""

import contextlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from PIL.Image import Image

from clipsearch.errors import ImageError
from clipsearch.images.decode import decode

SEARCHED = 2_000
"""Of a larger set, only so many paths are looked at."""

MIN_SIDE = 512
"""Large images are decoded smaller, but not smaller than this many pixels."""


def sample_images(paths: Iterable[Path], count: int) -> list[Image]:
    """Return at most `count` upright RGB images, spread evenly over the first `SEARCHED` paths.

    Files that cannot be read are left out.
    """
    found = list(islice(paths, SEARCHED))
    images: list[Image] = []
    for path in found[:: max(1, len(found) // max(1, count))][:count]:
        with contextlib.suppress(ImageError, OSError):
            images.append(decode(path, min_side=MIN_SIDE).image)
    return images
