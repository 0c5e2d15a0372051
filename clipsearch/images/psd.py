"""Photoshop files: the merged image that follows the layers.

Adobe Photoshop File Formats Specification, 2019. Pillow's plugin reads neither 16 bits nor large
documents (PSB), and takes any fourth channel for transparency.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageChops

from clipsearch.errors import ImageError
from clipsearch.images.reader import Limits, ReadImage

_BYTES = 14
"""Per pixel: channels of up to 32 bits one by one, and three images."""

# Mode of the file → mode of the image. Duotone has one channel, and its inks are not specified.
_MODES = {0: "1", 1: "L", 2: "P", 3: "RGB", 4: "CMYK", 8: "L", 9: "LAB"}
_ICC, _TRANSPARENT_INDEX, _VERSION_INFO, _EXIF, _XMP = 1039, 1047, 1057, 1058, 1060
# Blocks after the layers, which 16 and 32 bits have instead of the negative number.
_TRANSPARENCY_KEYS = (b"Mtrn", b"Mt16", b"Mt32")


def read_psd(stream: BinaryIO, limits: Limits) -> ReadImage:
    """Read the merged image of a PSD or PSB file in 8 bits.

    Raises ImageError for a file that was saved without it.
    """
    try:
        document = _parse(stream.read())
        limits.admit(document.width, document.height, bytes_per_pixel=_BYTES)
        if document.resources.get(_VERSION_INFO, b"\0\0\0\0\1")[4:5] == b"\0":
            raise ImageError(
                "the Photoshop file has no merged image: save it with 'Maximize Compatibility'"
            )
        image = _merge(document)
    except (struct.error, ValueError, IndexError, zlib.error) as error:
        raise ImageError("truncated or corrupt (Photoshop file)") from error
    return ReadImage(image, *image.size)


@dataclass(frozen=True, slots=True)
class _Document:
    data: bytes
    large: bool  # PSB
    channels: int
    width: int
    height: int
    depth: int
    mode: int
    palette: bytes
    resources: dict[int, bytes]
    transparent: bool  # the first channel after the colors is the transparency of the merged image
    start: int  # of the merged image


def _parse(data: bytes) -> _Document:
    version, channels, height, width, depth, mode = struct.unpack_from(">4xH6xHIIHH", data)
    large = version == 2
    palette, position = _section(data, 26)
    blocks, position = _section(data, position)
    wide = ">Q" if large else ">I"
    size = struct.calcsize(wide)
    first = position + size  # of the layers, which are not copied, as they may be large
    position = first + struct.unpack_from(wide, data, position)[0]
    # The number of layers follows the length of their list.
    count = struct.unpack_from(">h", data, first + size)[0] if position > first + size else 0
    transparent = count < 0 or any(
        data.find(signature + key, first, position) >= 0
        for signature in (b"8BIM", b"8B64")
        for key in _TRANSPARENCY_KEYS
    )
    resources = dict(_resources(blocks))
    return _Document(
        data, large, channels, width, height, depth, mode, palette, resources, transparent, position
    )


def _section(data: bytes, position: int) -> tuple[bytes, int]:
    """A section that begins with its length, and where the next one begins."""
    (length,) = struct.unpack_from(">I", data, position)
    return data[position + 4 : position + 4 + length], position + 4 + length


def _resources(blocks: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 12 <= len(blocks):
        number, name = struct.unpack_from(">4xHB", blocks, position)
        position += 6 + name + 1 + (name + 1) % 2
        value, position = _section(blocks, position)
        position += len(value) % 2
        yield number, value


def _merge(document: _Document) -> Image.Image:
    mode = _MODES.get(document.mode)
    if mode is None or document.depth not in (1, 8, 16, 32):
        raise ImageError(f"unsupported: Photoshop mode {document.mode}, {document.depth} bits")
    colors = len(Image.new(mode, (1, 1)).getbands())
    alpha = document.transparent and document.channels > colors and mode in ("L", "RGB")
    planes = list(_planes(document, colors + alpha))
    image = planes[0] if colors == 1 else Image.merge(mode, planes[:colors])
    if mode == "CMYK":  # 255 is no ink
        image = ImageChops.invert(image)
    if mode == "P":
        by_color = np.frombuffer(document.palette[:768], np.uint8).reshape(3, -1)
        image.putpalette(by_color.T.tobytes())
    if alpha:
        image.putalpha(planes[colors])
    info = {"icc_profile": _ICC, "exif": _EXIF, "xmp": _XMP}
    image.info = {
        name: document.resources[key] for name, key in info.items() if key in document.resources
    }
    image.info["photoshop"] = document.resources
    if mode == "P" and _TRANSPARENT_INDEX in document.resources:
        image.info["transparency"] = document.resources[_TRANSPARENT_INDEX][1]
    if document.depth == 32:
        image.info.pop("icc_profile", None)  # it describes linear light
    return image


def _planes(document: _Document, count: int) -> Iterator[Image.Image]:
    """The first channels, each an image of mode L, or 1 for a bitmap."""
    row = (document.width * document.depth + 7) // 8
    size = row * document.height
    data, position = document.data, document.start
    (compression,) = struct.unpack_from(">H", data, position)
    position += 2
    if compression == 1:
        code = "I" if document.large else "H"
        rows = document.channels * document.height
        lengths = np.frombuffer(data, f">u{struct.calcsize(code)}", rows, position)
        position += lengths.nbytes
        for channel in range(count):
            first = channel * document.height
            length = int(lengths[first : first + document.height].sum(dtype=np.int64))
            packed = data[position : position + length]
            position += length
            shape = (row, document.height)
            plane = Image.frombytes("L", shape, packed, "packbits", "L")
            yield _to_eight_bits(plane.tobytes(), document)
        return
    if compression == 2:
        inflater = zlib.decompressobj()
        data, position = inflater.decompress(data[position:], size * count), 0
    elif compression != 0:
        raise ImageError(f"unsupported: Photoshop compression {compression}")
    for channel in range(count):
        start = position + channel * size
        yield _to_eight_bits(data[start : start + size], document)


def _to_eight_bits(plane: bytes, document: _Document) -> Image.Image:
    shape = (document.height, document.width)
    if document.depth == 1:
        return Image.frombytes("1", shape[::-1], plane, "raw", "1;I")
    if document.depth == 16:
        return Image.fromarray(np.frombuffer(plane, np.uint8)[::2].reshape(shape))
    if document.depth == 32:
        light = np.clip(np.nan_to_num(np.frombuffer(plane, ">f4").reshape(shape)), 0, 1)
        return Image.fromarray((light ** (1 / 2.2) * 255 + 0.5).astype(np.uint8))
    return Image.frombytes("L", shape[::-1], plane)
