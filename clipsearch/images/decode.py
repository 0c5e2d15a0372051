"""Decode image files into upright RGB pixels.

The first bytes select one of Pillow's plugin classes, which is used directly. No other format's
parser processes the file, Pillow's global registry and decompression bomb limit are untouched, and
`max_pixels` is the only limit.
"""

import io
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias

from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from clipsearch.errors import ImageError
from clipsearch.images.color import to_srgb
from clipsearch.images.exif import read_exif
from clipsearch.images.formats import HEADER_SIZE, describe_unknown, sniff

MAX_PIXELS = 250_000_000
"""The default limit: decoding an image of this size needs about 1 GB of memory."""

Opener: TypeAlias = Callable[[BinaryIO], ImageFile]


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """An upright image.

    `image` has mode RGB in sRGB, with transparent parts white. `width` and `height` are the upright
    size of the file's image; `image` may be smaller if `min_side` was given. `format` is the
    sniffed one. `taken_at` is the camera's clock from EXIF, without a time zone.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    taken_at: datetime | None


def decode(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, min_side: int | None = None
) -> DecodedImage:
    """Decode an image file, or its bytes, to upright sRGB pixels; thread-safe.

    Only the first frame or page is decoded. `max_pixels` is checked before decoding, by the size in
    the header. With `min_side`, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as its
    shorter side keeps that many pixels, which saves most of the time for a large image. Raises only
    ImageError, with the reason but not the path.
    """
    try:
        with _open_stream(source) as stream:
            return _decode(stream, max_pixels, min_side)
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise anything on damaged files
        raise ImageError(_describe_error(error)) from error


def upright(image: Image.Image) -> Image.Image:
    """Convert an open image as `decode` does: upright, in sRGB; the given image is unchanged.

    Raises ImageError if its pixels cannot be loaded.
    """
    try:
        image.load()
        return _convert(image, transpose=True)[0]
    except Exception as error:
        raise ImageError(_describe_error(error)) from error


def _heif(stream: BinaryIO) -> ImageFile:
    try:
        from pillow_heif import HeifImageFile  # late: few files need this native library
    except ImportError as error:
        raise ImageError("unsupported: HEIC and HEIF need the package pillow-heif") from error
    opened: ImageFile = HeifImageFile(stream)
    return opened


class _Tiff(TiffImageFile):
    def load_prepare(self) -> None:
        # Pillow checks its own size limit only when it allocates the memory itself. The private
        # `_tile_size` is the size before a rotation by EXIF; a test guards it.
        self.im = Image.new(self.mode, getattr(self, "_tile_size", self.size)).im
        super().load_prepare()


_OPENERS: dict[str, Opener] = {
    "jpeg": JpegImageFile,  # reads the first image of a phone's multi-image file (MPO)
    "png": PngImageFile,
    "webp": WebPImageFile,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
    "tiff": _Tiff,
    "ppm": PpmImageFile,
    "jpeg2000": Jpeg2KImageFile,
    "heif": _heif,
    "avif": AvifImageFile,
}

_SWAPS_SIDES = {
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
}


def _open_stream(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    mode = source.stat().st_mode
    if stat.S_ISDIR(mode):
        raise ImageError("it is a folder, not an image file")
    if not stat.S_ISREG(mode):  # opening a pipe could wait forever
        raise ImageError("it is not a regular file")
    return source.open("rb")


def _decode(stream: BinaryIO, max_pixels: int, min_side: int | None) -> DecodedImage:
    head = stream.read(HEADER_SIZE)
    stream.seek(0)
    format_name = sniff(head)
    if format_name is None:
        raise ImageError(describe_unknown(head))
    opened = _OPENERS[format_name](stream)
    width, height = opened.size
    if width * height > max_pixels:
        raise ImageError(
            f"too many pixels: {width} x {height} = {width * height:,}, the limit is {max_pixels:,}"
        )
    if format_name == "jpeg" and min_side is not None:
        opened.draft(None, (min_side, min_side))
    opened.load()
    if format_name != "jpeg":  # TIFF and HEIF transpose themselves while they load
        width, height = opened.size
    # libheif has transposed the pixels already, whatever the EXIF says.
    image, swapped, taken_at = _convert(opened, transpose=format_name != "heif")
    if swapped:
        width, height = height, width
    image.info.clear()  # an orientation or profile left here would be applied again later
    return DecodedImage(image, width, height, format_name, taken_at)


def _convert(loaded: Image.Image, *, transpose: bool) -> tuple[Image.Image, bool, datetime | None]:
    """The image in sRGB and upright, whether its sides were swapped, and when it was taken."""
    transposition, taken_at = read_exif(loaded)
    image = to_srgb(loaded)
    if transposition is None or not transpose:
        return image, False, taken_at
    image = image.transpose(transposition)
    image.info.clear()
    return image, transposition in _SWAPS_SIDES, taken_at


def _describe_error(error: Exception) -> str:
    """Describe in one line what a plugin or the file system raised."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return f"too many pixels: {error}"
    text = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    if "support not installed" in text or "unknown pixel mode" in text:
        return f"unsupported: {text}"
    if isinstance(error, EOFError) or re.search("truncat|premature|end of file", text, re.I):
        return "truncated: the file ends before the image does"
    return f"truncated or corrupt ({text})"
