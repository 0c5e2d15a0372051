"""Camera raw files: the preview that the camera made, else a development by LibRaw."""

import io
import struct
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from clipsearch.errors import ImageError
from clipsearch.images.exif import read_orientation
from clipsearch.images.optional import require_decoder
from clipsearch.images.reader import Limits, ReadImage

if TYPE_CHECKING:
    from rawpy import RawPy

PREVIEW_SIDE = 512
"""Pixels of the shorter side from which a preview is taken for the image; thumbnails have less."""

_BYTES, _BYTES_HALF = 24, 8
"""Per pixel of the sensor: its data, those in color, and two images, at full or half size."""

_CANON_HEADER = 1 << 20  # bytes in which a CR3 file has its metadata
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825

# LibRaw's flip: 4 transposes, then 2 mirrors top and bottom and 1 left and right.
_FLIPS = {
    1: Image.Transpose.FLIP_LEFT_RIGHT,
    2: Image.Transpose.FLIP_TOP_BOTTOM,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.TRANSPOSE,
    5: Image.Transpose.ROTATE_90,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
}


def read_raw(stream: BinaryIO, limits: Limits) -> ReadImage:
    """Read a camera raw file as an upright RGB image.

    The embedded preview is taken if its shorter side has at least `min_side` and PREVIEW_SIDE
    pixels. Otherwise the sensor's data are developed, at half size if that is large enough. Raises
    MissingDecoderError without rawpy.
    """
    rawpy = require_decoder("raw")
    data = stream.read()
    side = max(PREVIEW_SIDE, limits.min_side or 0)
    raw = rawpy.RawPy()
    try:
        raw.open_buffer(io.BytesIO(data))
        sizes = raw.sizes
        width, height = sizes.width, sizes.height
        half = min(width, height) >= 2 * side
        limits.admit(width, height, bytes_per_pixel=_BYTES_HALF if half else _BYTES)
        if sizes.flip & 4:
            width, height = height, width
        image = _preview(raw, (width, height), side)
        if image is None:
            pixels = raw.postprocess(half_size=half, use_camera_wb=True)
            image = Image.fromarray(pixels)
    except rawpy.LibRawError as error:
        raise ImageError(f"unsupported or damaged camera raw ({_reason(error)})") from error
    finally:
        raw.close()
    image.info = {"exif": exif} if (exif := raw_exif(data)) else {}
    return ReadImage(image, width, height)


def _preview(raw: "RawPy", upright: tuple[int, int], side: int) -> Image.Image | None:
    """The embedded preview, upright, or None if there is none that is large enough."""
    try:
        thumb = raw.extract_thumb()
        preview = (
            JpegImageFile(io.BytesIO(thumb.data))
            if isinstance(thumb.data, bytes)
            else Image.fromarray(thumb.data)
        )
        if min(preview.size) < side or preview.width * preview.height > 2 * upright[0] * upright[1]:
            return None
        transposition = read_orientation(preview)
        if isinstance(preview, JpegImageFile):
            preview.draft(None, (side, side))
        preview.load()
    except Exception:  # noqa: BLE001 - LibRaw's or Pillow's; the sensor's data remain
        return None
    # LibRaw adds EXIF with the file's orientation to a JPEG that has none.
    if _is_upright(preview, upright, raw.sizes.flip):
        transposition = None
    elif transposition is None:
        transposition = _FLIPS.get(raw.sizes.flip)
    image = preview.convert("RGB")
    return image if transposition is None else image.transpose(transposition)


def _is_upright(preview: Image.Image, upright: tuple[int, int], flip: int) -> bool:
    """Whether a camera that was held upright has turned the preview already, by its shape."""
    width, height = upright
    return (
        bool(flip & 4)
        and width != height
        and preview.width != preview.height
        and (preview.width < preview.height) == (width < height)
    )


def raw_exif(data: bytes) -> bytes | None:
    """Return the EXIF of a raw file as a TIFF structure, or None if it has none that is known."""
    if data.startswith(b"FUJIFILMCCD-RAW"):
        offset, length = struct.unpack_from(">II", data.ljust(92, b"\0"), 84)
        jpeg = data[offset : offset + length]
        marker = jpeg.find(b"Exif\0\0", 0, 1 << 16)
        return jpeg[marker + 6 :] if marker > 0 else None
    if data[4:12] == b"ftypcrx ":
        return _canon_exif(data)
    if data[:2] in (b"II", b"MM"):
        # Olympus and Panasonic replace the number 42 of TIFF by letters of their own.
        magic = b"II*\0" if data[:2] == b"II" else b"MM\0*"
        return data if data.startswith(magic) else magic + data[4:]
    return None


def _canon_exif(data: bytes) -> bytes | None:
    """The EXIF of a CR3 file, whose directories are TIFF structures in boxes of their own."""
    boxes = {}
    for name in (b"CMT1", b"CMT2", b"CMT4"):
        start = data.find(name, 0, _CANON_HEADER)
        if start >= 4:
            length = int.from_bytes(data[start - 4 : start], "big")
            boxes[name] = data[start + 4 : start - 4 + length]
    try:
        main = Image.Exif()
        main.load(boxes[b"CMT1"])
        for directory, name in ((_EXIF_IFD, b"CMT2"), (_GPS_IFD, b"CMT4")):
            part = Image.Exif()
            part.load(boxes.get(name, b""))
            main.get_ifd(directory).update(part)
        return main.tobytes()
    except Exception:  # noqa: BLE001 - broken EXIF of any kind must not make an image fail
        return None


def _reason(error: Exception) -> str:
    value = error.args[0] if error.args else error
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
