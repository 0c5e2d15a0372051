"""Truevision TGA."""

import io
import struct
from typing import BinaryIO

from PIL.Image import Image
from PIL.TgaImagePlugin import TgaImageFile

from clipsearch.errors import ImageError
from clipsearch.images.reader import Limits, ReadImage

_BYTES = 12
"""Per pixel: the file twice, and two images."""

_HEADER = struct.Struct("<3BHHBHHHHBB")


def read_targa(stream: BinaryIO, limits: Limits) -> ReadImage:
    """Read a TGA image.

    The format has no signature. So a file must hold all pixels that its header announces.
    """
    data = bytearray(stream.read())
    id_size, _, kind, _, entries, entry_bits, _, _, width, height, bits, flags = (
        _HEADER.unpack_from(data)
    )
    limits.admit(width, height, bytes_per_pixel=_BYTES)
    content = len(data) - _HEADER.size - id_size - entries * ((entry_bits + 7) // 8)
    pixel = (bits + 7) // 8
    # A run-length packet is a byte and a pixel, and stands for at most 128 pixels.
    needed = -(-width * height // 128) * (1 + pixel) if kind & 8 else width * height * pixel
    if content < needed:
        raise ImageError("truncated: the file ends before the image does")
    for position in (7, 16):
        if data[position] == 15:  # stored in 16 bits, of which Pillow knows the name only
            data[position] = 16
    image: Image = TgaImageFile(io.BytesIO(data))
    image.load()
    # Without attribute bits, the last byte of a pixel means nothing; many programs leave it 0.
    if image.mode in ("RGBA", "LA") and not (flags & 0x0F and image.getchannel("A").getbbox()):
        image = image.convert(image.mode.removesuffix("A"))
    return ReadImage(image, *image.size)
