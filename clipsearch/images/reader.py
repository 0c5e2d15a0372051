"""Readers of the formats that Pillow does not open, or only in part."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from PIL.Image import Image

from clipsearch.errors import ImageError
from clipsearch.images.memory import PIXELS, Memory

MAX_ASPECT_RATIO = 200
"""Preprocessing scales the shorter side to the model's input. At an aspect ratio of 60,000:1 the
result would need gigabytes."""


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A loaded, upright image of any mode, and the upright size of the file's image.

    `info` of the image may hold an `icc_profile`, an `xmp` packet, and `exif`: the bytes of a TIFF
    structure. The orientation there has been applied.
    """

    image: Image
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call of `decode` allows and needs; `held` keeps its share of `memory`."""

    max_pixels: int
    min_side: int | None
    held: ExitStack
    memory: Memory = PIXELS

    def admit(self, width: int, height: int, *, bytes_per_pixel: int) -> None:
        """Check a size and wait for the memory to decode it; once per image.

        Raises ImageError if it has too many pixels, is a narrow stripe, or can never fit.
        """
        check_pixels(width, height, self.max_pixels)
        self.held.enter_context(self.memory.reserve(width * height * bytes_per_pixel))


Reader: TypeAlias = Callable[[BinaryIO, Limits], ReadImage]


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise ImageError if an image has more pixels than allowed, or is a narrow stripe."""
    check_aspect_ratio(width, height)
    if width * height > max_pixels:
        raise ImageError(
            f"too many pixels: {width} x {height} = {width * height:,}, the limit is {max_pixels:,}"
        )


def check_aspect_ratio(width: int, height: int) -> None:
    """Raise ImageError if one side is more than `MAX_ASPECT_RATIO` times the other."""
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ImageError(f"aspect ratio exceeds {MAX_ASPECT_RATIO}:1 ({width} x {height})")


def find_reader(format_name: str) -> Reader | None:
    """Return the reader of a format, or None for those that Pillow's plugins read directly."""
    # Late: few collections have these formats, and some need a package that may be missing.
    match format_name:
        case "raw":
            from clipsearch.images.raw import read_raw

            return read_raw
        case "jpegxl":
            from clipsearch.images.jpeg_xl import read_jpeg_xl

            return read_jpeg_xl
        case "psd":
            from clipsearch.images.psd import read_psd

            return read_psd
        case "ico":
            from clipsearch.images.icon import read_icon

            return read_icon
        case "tga":
            from clipsearch.images.targa import read_targa

            return read_targa
        case "svg":
            from clipsearch.images.svg import read_svg

            return read_svg
    return None
