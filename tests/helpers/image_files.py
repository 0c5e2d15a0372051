"""Small image files that are drawn in code, and the distance of two images."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

SIZE = (48, 32)


def scene() -> Image.Image:
    """An image without any symmetry: each corner has its own color."""
    image = Image.new("RGB", SIZE, "black")
    for box, color in (
        ((0, 0, 24, 16), (250, 30, 30)),
        ((24, 0, 48, 16), (30, 250, 30)),
        ((0, 16, 24, 32), (30, 30, 250)),
        ((24, 16, 48, 32), (250, 250, 30)),
    ):
        image.paste(color, box)
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    if kind == "HEIF":
        heif = pytest.importorskip("pillow_heif").from_pillow(image)
        heif.save(out, **options)
    else:
        image.save(out, kind, **options)
    return out.getvalue()


def pixels(image: Image.Image) -> NDArray[np.int16]:
    return np.asarray(image, np.int16)


def distance(one: Image.Image, other: Image.Image) -> float:
    """The mean absolute difference of two images of one size."""
    assert one.size == other.size
    return float(np.abs(pixels(one) - pixels(other)).mean())


# What must be done to the stored pixels for each EXIF orientation, by EXIF 2.32, section 4.6.4.
STORED = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.ROTATE_90, Image.Transpose.FLIP_TOP_BOTTOM),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.ROTATE_90, Image.Transpose.FLIP_LEFT_RIGHT),
    8: (Image.Transpose.ROTATE_270,),
}


def rotated(orientation: int) -> tuple[Image.Image, Image.Exif]:
    """The scene as stored with an EXIF orientation, and that EXIF."""
    image = scene()
    for step in STORED[orientation]:
        image = image.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return image, exif
