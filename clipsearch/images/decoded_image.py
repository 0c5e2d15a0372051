"""DecodedImage: upright RGB pixels, and what the file says about them."""

from dataclasses import dataclass

from PIL import Image

from clipsearch.images.metadata import Metadata


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """An upright image.

    `image` has mode RGB in sRGB; transparent parts are white, or black or gray where the image
    would be lost on white. `width` and `height` are the upright size of the file's image; `image`
    may be smaller if `min_side` was given. `format` is the content's. `metadata` says when,
    where and by which camera it was taken. `truncated` means that the file lacks up to a quarter of
    the rows, and `image` consists of the others.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    metadata: Metadata
    truncated: bool = False
