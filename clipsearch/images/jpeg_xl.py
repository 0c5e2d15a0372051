"""JPEG XL, decoded by libjxl."""

from typing import BinaryIO

from PIL import Image

from clipsearch.images.optional import require_decoder
from clipsearch.images.reader import ReadImage, check_pixels


def read_jpeg_xl(stream: BinaryIO, max_pixels: int, _min_side: int | None) -> ReadImage:
    """Read a JPEG XL image, or the first frame of an animation, in 8 bits; libjxl turns it upright.

    Raises MissingDecoderError without pylibjxl.
    """
    pylibjxl = require_decoder("jpegxl")
    data = stream.read()
    header = pylibjxl.probe(data)
    check_pixels(header["width"], header["height"], max_pixels)
    pixels, metadata = pylibjxl.decode(data, metadata=True)
    image = Image.fromarray(pixels)
    image.info = {
        name: metadata[key]
        for name, key in (("icc_profile", "icc"), ("exif", "exif"), ("xmp", "xmp"))
        if metadata.get(key)
    }
    return ReadImage(image, *image.size)
