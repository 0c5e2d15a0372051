"""Windows icons and cursors: the largest of their images."""

import io
import struct
from typing import BinaryIO

from PIL.IcoImagePlugin import IcoFile
from PIL.Image import Image
from PIL.PngImagePlugin import PngImageFile

from clipsearch.errors import ImageError
from clipsearch.images.reader import Limits, ReadImage

_BYTES = 12
"""Per pixel: the frame, its mask, and two images."""

_PNG = b"\x89PNG\r\n\x1a\n"
_DIB_HEADERS = (40, 52, 56, 64, 108, 124)  # bytes of the versions of BITMAPINFOHEADER


def read_icon(stream: BinaryIO, limits: Limits) -> ReadImage:
    """Read the image of an icon or cursor with the most pixels, then the most colors."""
    data = stream.read()
    (count,) = struct.unpack_from("<H", data, 4)
    frames = []
    for position in range(count):
        if 22 + 16 * position > len(data):
            break
        length, offset = struct.unpack_from("<II", data, 6 + 16 * position + 8)
        frame = data[offset : offset + length]
        if size := _size(frame):
            frames.append((size, frame))
    if not frames:
        raise ImageError("truncated or corrupt (an icon without images)")
    (_, bits, width, height), frame = max(frames, key=lambda item: item[0])
    limits.admit(width, height, bytes_per_pixel=_BYTES)
    image = _open_png(frame) if frame.startswith(_PNG) else _open_bitmap(frame, bits)
    return ReadImage(image, *image.size)


def _size(frame: bytes) -> tuple[int, int, int, int] | None:
    """The number of pixels, bits per pixel, width and height of an image by its own header."""
    if frame.startswith(_PNG) and len(frame) > 26:
        width, height, depth = struct.unpack_from(">IIB", frame, 16)
        bits = depth * 4
    elif len(frame) > 40 and struct.unpack_from("<I", frame)[0] in _DIB_HEADERS:
        width, height, _, bits = struct.unpack_from("<iiHH", frame, 4)
        height //= 2  # the mask lies below the image
    else:
        return None
    return (width * height, bits, width, height) if width > 0 and height > 0 else None


def _open_png(frame: bytes) -> Image:
    image = PngImageFile(io.BytesIO(frame))
    image.load()
    return image


def _open_bitmap(frame: bytes, bits: int) -> Image:
    # Pillow reads no masks of cursors, and trusts what the directory says of the bits.
    entry = struct.pack("<4BHHII", 0, 0, 0, 0, 1, bits, len(frame), 22)
    image = IcoFile(io.BytesIO(struct.pack("<3H", 0, 1, 1) + entry + frame)).frame(0)
    if bits == 32 and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        return image.convert("RGB")  # the fourth byte was left unused
    return image
