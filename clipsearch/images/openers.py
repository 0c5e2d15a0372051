"""The class of Pillow or of a plugin that opens each format."""

from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.WebPImagePlugin import WebPImageFile

from clipsearch.errors import ImageError
from clipsearch.images.float_map import FloatMapFile
from clipsearch.images.tiff import open_tiff

Opener: TypeAlias = Callable[[BinaryIO], ImageFile]


def _heif(stream: BinaryIO) -> ImageFile:
    try:
        from pillow_heif import HeifImageFile  # late: few files need this native library
    except ImportError as error:
        raise ImageError("unsupported: HEIC and HEIF need the package pillow-heif") from error
    opened: ImageFile = HeifImageFile(stream)
    return opened


def _portable_map(stream: BinaryIO) -> ImageFile:
    is_color_float = stream.read(2) == b"PF"
    stream.seek(0)
    return FloatMapFile(stream) if is_color_float else PpmImageFile(stream)


OPENERS: dict[str, Opener] = {
    "jpeg": JpegImageFile,  # reads the first image of a phone's multi-image file (MPO)
    "png": PngImageFile,
    "webp": WebPImageFile,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
    "tiff": open_tiff,
    "ppm": _portable_map,
    "jpeg2000": Jpeg2KImageFile,
    "heif": _heif,
    "avif": AvifImageFile,
}
"""By the names of `formats.FORMATS`."""
