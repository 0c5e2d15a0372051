"""JPEG XL, decoded by libjxl."""

from typing import BinaryIO

from PIL import Image

from clipsearch.images.optional import require_decoder
from clipsearch.images.reader import Limits, ReadImage

_BYTES = 16
"""Per pixel, mostly for the floats of libjxl."""


def read_jpeg_xl(stream: BinaryIO, limits: Limits) -> ReadImage:
    """Read a JPEG XL image, or the first frame of an animation, in 8 bits; libjxl turns it upright.

    Raises MissingDecoderError without pylibjxl.
    """
    pylibjxl = require_decoder("jpegxl")
    data = stream.read()
    header = pylibjxl.probe(data)
    limits.admit(header["width"], header["height"], bytes_per_pixel=_BYTES)
    pixels, metadata = pylibjxl.decode(data, metadata=True)
    image = Image.fromarray(pixels)
    image.info = {
        name: metadata[key]
        for name, key in (("icc_profile", "icc"), ("exif", "exif"), ("xmp", "xmp"))
        if metadata.get(key)
    }
    return ReadImage(image, *image.size)
