"""Image files to upright RGB pixels, safely: the only module that opens pictures.

Pillow's plugin classes are used directly, chosen by the file's first bytes. So no other format's
parser ever sees the file, Pillow's global registry and bomb limit stay as the process set them,
and `max_pixels` is the one limit.
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
from clipsearch.images.formats import HEADER_SIZE, describe_unknown, sniff

MAX_PIXELS = 250_000_000
"""More need too much memory: about 1 GB while a picture is decoded."""

Opener: TypeAlias = Callable[[BinaryIO], ImageFile]


@dataclass(frozen=True, slots=True)
class Decoded:
    """One picture, upright.

    `image` has mode RGB, in sRGB, transparent parts white. `width` and `height` are the file's
    own, upright; `image` is smaller where `min_side` allowed it. `format` is the sniffed one.
    `taken_at` is the camera's clock from EXIF, without a time zone.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    taken_at: datetime | None


def decode(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, min_side: int | None = None
) -> Decoded:
    """Read an image file, or its bytes, as upright sRGB pixels; safe in threads.

    The first frame or page counts. `max_pixels` is checked in the header, before decoding. With
    `min_side`, a JPEG may come at 1/2, 1/4 or 1/8 of its size as long as its shorter side keeps
    that many pixels: most of a large photo's decoding time. Raises ImageError with the reason
    (without the path), and nothing else.
    """
    try:
        with _stream(source) as stream:
            return _decode(stream, max_pixels, min_side)
    except ImageError:
        raise
    except Exception as error:  # on damaged files Pillow's plugins raise anything
        raise ImageError(_reason(error)) from error


def upright(image: Image.Image) -> Image.Image:
    """A picture that is open already, as `decode` would give it; the given one stays as it is.

    Raises ImageError where its pixels cannot be loaded.
    """
    try:
        image.load()
        return _turned(image, None)[0]
    except Exception as error:
        raise ImageError(_reason(error)) from error


def _heif(stream: BinaryIO) -> ImageFile:
    try:
        from pillow_heif import HeifImageFile  # late: a native library that few files need
    except ImportError as error:
        raise ImageError("unsupported: HEIC and HEIF need the package pillow-heif") from error
    opened: ImageFile = HeifImageFile(stream)
    return opened


class _Tiff(TiffImageFile):
    def load_prepare(self) -> None:
        # Given its memory, Pillow has no reason to hold the size against its own limit.
        if self._im is None:
            self.im = Image.new(self.mode, getattr(self, "_tile_size", self.size)).im
        super().load_prepare()


_OPENERS: dict[str, Opener] = {
    "jpeg": JpegImageFile,  # of a phone's multi-picture file (MPO) this reads the first
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

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _stream(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    mode = source.stat().st_mode
    if stat.S_ISDIR(mode):
        raise ImageError("it is a folder, not an image file")
    if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
        raise ImageError("it is not a regular file")
    return source.open("rb")


def _decode(stream: BinaryIO, max_pixels: int, min_side: int | None) -> Decoded:
    head = stream.read(HEADER_SIZE)
    stream.seek(0)
    name = sniff(head)
    if name is None:
        raise ImageError(describe_unknown(head))
    opened = _OPENERS[name](stream)
    width, height = opened.size
    if width * height > max_pixels:
        raise ImageError(
            f"too many pixels: {width} x {height} = {width * height:,}, the limit is {max_pixels:,}"
        )
    if name == "jpeg" and min_side is not None:
        opened.draft(None, (min_side, min_side))
    opened.load()
    if name != "jpeg":  # TIFF and HEIF turn themselves while they load
        width, height = opened.size
    image, turned, taken_at = _turned(opened, name)
    if turned:
        width, height = height, width
    image.info.clear()  # an orientation or profile left here would be applied again later
    return Decoded(image, width, height, name, taken_at)


def _turned(loaded: Image.Image, name: str | None) -> tuple[Image.Image, bool, datetime | None]:
    """The picture upright in sRGB, whether that swapped its sides, and when it was taken."""
    orientation, taken_at = _exif(loaded)
    image = to_srgb(loaded)
    # libheif has turned the pixels already, whatever the EXIF inside says.
    turn = None if name == "heif" else _TURNS.get(orientation)
    if turn is None:
        return image, False, taken_at
    image = image.transpose(turn)
    image.info.clear()
    return image, orientation >= 5, taken_at


def _exif(opened: Image.Image) -> tuple[int, datetime | None]:
    try:
        exif = opened.getexif()
        orientation = exif.get(0x0112, 1)
        shot = exif.get_ifd(0x8769)  # the Exif IFD
        taken = _moment(shot.get(0x9003)) or _moment(shot.get(0x9004))  # original, digitized
        return (orientation if isinstance(orientation, int) else 1), taken
    except Exception:  # noqa: BLE001 - broken EXIF of any kind must not cost the picture
        return 1, None


def _moment(value: object) -> datetime | None:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    numbers = re.match(r"\s*(\d{4})\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)", text)
    if numbers is None:
        return None
    try:
        return datetime(*map(int, numbers.groups()))  # type: ignore[arg-type]
    except ValueError:  # 0000:00:00 from cameras whose clock was never set
        return None


def _reason(error: Exception) -> str:
    """One line for what a plugin or the file system raised."""
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
        return "truncated: the file ends before its picture does"
    return f"truncated or corrupt ({text})"
