"""Draw camera raw files: TIFF structures with thumbnail, preview and sensor data."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

_CODES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I"}  # BYTE, ASCII, SHORT, LONG, RATIONAL

DNG_VERSION = (50706, 1, (1, 4, 0, 0))
CFA_PATTERN = [(33421, 3, (2, 2)), (33422, 1, (0, 1, 1, 2))]

Tag = tuple[int, int, Sequence[int] | bytes]


@dataclass
class Page:
    """One directory of a TIFF structure: its image data, further tags, and pages below it."""

    data: bytes
    tags: list[Tag]
    pages: "list[Page]" = field(default_factory=list)
    exif: list[Tag] | None = None


def tiff(page: Page, order: str = "<") -> bytes:
    """A file whose first directory is `page`; `order` is "<" or ">"."""
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    struct.pack_into(f"{order}I", out, 4, _write(page, out, order))
    return bytes(out)


def _write(page: Page, out: bytearray, order: str) -> int:
    """Append a page and return the offset of its directory."""
    tags = list(page.tags)
    if page.data:
        tags += [(273, 4, (len(out),)), (279, 4, (len(page.data),))]
        out += page.data
    if page.pages:
        tags.append((330, 4, [_write(below, out, order) for below in page.pages]))
    if page.exif:
        tags.append((34665, 4, [_write(Page(b"", page.exif), out, order)]))
    out += bytes(len(out) % 2)
    entries = b""
    for tag, kind, values in sorted(tags):
        code = _CODES[kind]
        packed = (
            values
            if isinstance(values, bytes)
            else struct.pack(f"{order}{len(values)}{code}", *values)
        )
        count = len(values) // 2 if kind == 5 else len(values)
        if len(packed) > 4:
            offset = len(out)
            out += packed + bytes(len(packed) % 2)
            packed = struct.pack(f"{order}I", offset)
        entries += struct.pack(f"{order}HHI", tag, kind, count) + packed.ljust(4, b"\0")
    directory = len(out)
    out += struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    return directory


def rgb_page(image: Image.Image, *tags: Tag) -> Page:
    """An uncompressed page, marked as a reduced image."""
    return Page(
        image.convert("RGB").tobytes(),
        [(254, 4, (1,)), *_layout(image.size, 8, 3), (259, 3, (1,)), (262, 3, (2,)), *tags],
    )


def preview_page(image: Image.Image) -> Page:
    """A JPEG page, marked as a reduced image."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return Page(
        buffer.getvalue(),
        [(254, 4, (1,)), *_layout(image.size, 8, 3), (259, 3, (7,)), (262, 3, (6,))],
    )


def mosaic_page(image: Image.Image, order: str = "<", *tags: Tag) -> Page:
    """The 16-bit data of a sensor behind a filter of red, green, green and blue."""
    linear = (np.asarray(image.convert("RGB"), np.float64) / 255) ** 2.2 * 65535
    mosaic = linear[..., 1].copy()
    mosaic[0::2, 0::2] = linear[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = linear[1::2, 1::2, 2]
    data = mosaic.astype(f"{order}u2").tobytes()
    return Page(
        data,
        [
            (254, 4, (0,)),
            *_layout(image.size, 16, 1),
            (259, 3, (1,)),
            (262, 3, (32803,)),
            *CFA_PATTERN,
            *tags,
        ],
    )


def _layout(size: tuple[int, int], bits: int, channels: int) -> list[Tag]:
    width, height = size
    return [
        (256, 4, (width,)),
        (257, 4, (height,)),
        (258, 3, [bits] * channels),
        (277, 3, (channels,)),
        (278, 4, (height,)),
    ]


def dng(
    image: Image.Image,
    *,
    preview: Image.Image | None = None,
    orientation: int = 1,
    order: str = "<",
    taken: str = "",
) -> bytes:
    """A DNG of an image as the sensor saw it, with a blank thumbnail of 24 x 16."""
    tags: list[Tag] = [DNG_VERSION, (271, 2, b"Maker\0"), (272, 2, b"Camera\0")]
    tags += [(274, 3, (orientation,)), (50708, 2, b"Camera\0")]
    first = rgb_page(Image.new("RGB", (24, 16), "blue"), *tags)
    first.pages = [mosaic_page(image, order)] + ([preview_page(preview)] if preview else [])
    first.exif = [(0x9003, 2, taken.encode() + b"\0")] if taken else None
    return tiff(first, order)
