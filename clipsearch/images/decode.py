"""Decode image files into upright RGB pixels.

The first bytes select one of Pillow's plugin classes, which is used directly. No other format's
parser processes the file, Pillow's global registry and decompression bomb limit are untouched, and
`max_pixels` is the only limit.
"""

import io
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image

from clipsearch.errors import DecoderProcessError, ImageError, MemoryLimitError, of_process
from clipsearch.images.color import to_srgb
from clipsearch.images.decoded_image import DecodedImage
from clipsearch.images.exif import read_orientation
from clipsearch.images.formats import HEADER_SIZE, describe_unknown, sniff
from clipsearch.images.loader import Loader
from clipsearch.images.metadata import Metadata, read_metadata
from clipsearch.images.optional import require_installed
from clipsearch.images.reader import Limits, check_aspect_ratio, find_reader
from clipsearch.images.tiff_directories import begin_at, inspect_tiff
from clipsearch.locations.open_location import is_plain_file, open_location

MAX_PIXELS = 250_000_000
"""The default limit: decoding an image of this size needs about 1 GB of memory."""

ISOLATED = frozenset({"heif", "avif", "jpegxl", "jpeg2000", "raw"})
"""Formats that are decoded in another process; so are TIFF files with compressions of their kind.
Their native libraries are large and have a history of crashes. To transfer a million pixels takes
about 3 ms: for other formats that would be a third of the time and more."""


def decode(
    source: Path | bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    min_side: int | None = None,
    held: ExitStack | None = None,
    isolated: bool = False,
) -> DecodedImage:
    """Decode an image file, or its bytes, to upright sRGB pixels; thread-safe.

    Only the first frame or page is decoded. `max_pixels` is checked before decoding, by the size in
    the header; a JPEG that is larger is decoded at 1/2, 1/4 or 1/8 of its size if it fits then.
    With `min_side`, a JPEG may be decoded at such a size as long as its shorter side keeps that
    many pixels, which saves most of the time for a large image.

    Formats whose decoders may crash or hang are decoded in another process (see `decoder_pool`),
    with `isolated` every format. With `min_side`, the image that comes from there is smaller, too.

    Waits until its share of the memory for decoding is free (see `memory`), which it holds until
    `held` closes, by default until it returns. Raises only ImageError, with the reason but not the
    path, or OSError if no more files can be opened.
    """
    with ExitStack() as own, _image_errors(), _open_stream(source) as stream:
        limits = Limits(max_pixels, min_side, own if held is None else held)
        content = _identify(stream)
        if isolated or content.is_isolated:
            from clipsearch.images.decoder_pool import decode_isolated  # late: few files need it

            require_installed(content.format)  # before a process starts
            return decode_isolated(stream.read(), limits)
        return _decode(stream, content, limits)


def decode_here(data: bytes, limits: Limits) -> DecodedImage:
    """Decode an image file of any format in this process; raises only ImageError."""
    try:
        with _image_errors(), io.BytesIO(data) as stream:
            return _decode(stream, _identify(stream), limits)
    except OSError as error:  # of this process, not of the image
        raise DecoderProcessError(str(error)) from error


def upright(image: Image.Image) -> Image.Image:
    """Convert an open image as `decode` does: upright, in sRGB; the given image is unchanged.

    Raises ImageError if its pixels cannot be loaded, or if it is a narrow stripe.
    """
    with _image_errors():
        check_aspect_ratio(*image.size)
        image.load()
        return _convert(image, transpose=True)[0]


@contextmanager
def _image_errors() -> Iterator[None]:
    """Raise ImageError instead of any other exception but one that is not about the image."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise MemoryLimitError("not enough memory to decode it") from error
    except Exception as error:  # Pillow's plugins raise anything on damaged files
        if of_process(error):
            raise
        raise ImageError(_describe_error(error)) from error


_SWAPS_SIDES = {
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
}


def _open_stream(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        mode = source.stat().st_mode
    except OSError:
        if is_plain_file(source):
            raise
        return open_location(source)
    if stat.S_ISDIR(mode):
        raise ImageError("it is a folder, not an image file")
    if not stat.S_ISREG(mode):  # opening a pipe could wait forever
        raise ImageError("it is not a regular file")
    return source.open("rb")


class _Content(NamedTuple):
    """The format of a file, and the offset of the image's directory if it is not the first."""

    format: str
    directory: int | None
    is_isolated: bool


def _identify(stream: BinaryIO) -> _Content:
    """Look at the start of a file, or at the directories of a TIFF file."""
    head = stream.read(HEADER_SIZE)
    stream.seek(0)
    format_name = sniff(head)
    if format_name is None:
        raise ImageError(describe_unknown(head))
    if format_name != "tiff":
        return _Content(format_name, None, format_name in ISOLATED)
    tiff = inspect_tiff(stream)
    return _Content("raw" if tiff.is_raw else "tiff", tiff.image, not tiff.is_plain)


def _decode(stream: BinaryIO, content: _Content, limits: Limits) -> DecodedImage:
    format_name = content.format
    if content.directory is not None:
        stream = io.BytesIO(begin_at(stream.read(), content.directory))
    if reader := find_reader(format_name):
        read = reader(stream, limits)
        image, _, metadata = _convert(read.image, transpose=False)
        image.info.clear()
        return DecodedImage(image, read.width, read.height, format_name, metadata)
    loader = Loader(format_name, limits)
    loaded: Image.Image
    try:
        loaded = loader.load(stream)
        rows, truncated = None, False
    except ImageError:
        raise
    except Exception as error:
        if of_process(error):
            raise
        stream.seek(0)
        rest = loader.salvage(stream.read(), error)
        loaded, rows, truncated = rest.image, rest.rows, rest.truncated
    # TIFF and HEIF transpose themselves while they load; a JPEG may be smaller than its header.
    width, height = loader.size if format_name == "jpeg" else loaded.size
    # libheif has transposed the pixels already, whatever the EXIF says.
    image, swapped, metadata = _convert(
        loaded,
        transpose=format_name != "heif",
        rows=rows,
        container=stream if format_name in ("heif", "avif") else None,
    )
    if swapped:
        width, height = height, width
    image.info.clear()  # an orientation or profile left here would be applied again later
    return DecodedImage(image, width, height, format_name, metadata, truncated)


def _convert(
    loaded: Image.Image,
    *,
    transpose: bool,
    rows: tuple[int, int] | None = None,
    container: BinaryIO | None = None,
) -> tuple[Image.Image, bool, Metadata]:
    """The image in sRGB and upright, whether its sides were swapped, and its metadata.

    Of an image that misses some rows, only the given ones (first, end) are kept. `container` is for
    `read_metadata`.
    """
    transposition, metadata = read_orientation(loaded), read_metadata(loaded, container)
    image = to_srgb(loaded)
    if rows is not None and rows != (0, image.height):
        image = image.crop((0, rows[0], image.width, rows[1]))
    if transposition is None or not transpose:
        return image, False, metadata
    image = image.transpose(transposition)
    image.info.clear()
    return image, transposition in _SWAPS_SIDES, metadata


def _describe_error(error: Exception) -> str:
    """Describe in one line what a plugin or the file system raised."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, Image.DecompressionBombError):
        return f"too many pixels: {error}"
    text = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    if "support not installed" in text or "unknown pixel mode" in text:
        return f"unsupported: {text}"
    if isinstance(error, EOFError) or re.search("truncat|premature|end of file", text, re.I):
        return "truncated: the file ends before the image does"
    return f"truncated or corrupt ({text})"
