"""Images as Python callers give them: one of Pillow's, bytes, an open file, an array, a name."""

import os
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.arguments import number, show
from clipsearch.errors import ImageError, UsageError, describe_error
from clipsearch.images.decode import decode
from clipsearch.query.parser import RemoteImage, StoredImage, Term, as_image

ImageInput: TypeAlias = (
    str | Path | StoredImage | RemoteImage | Image.Image | bytes | NDArray[np.uint8] | Any
)
"""Whatever `to_content` accepts; Any stands for open binary files."""

ACCEPTED = (
    "a path, id:…, an http(s) URL, a Pillow image, the bytes of an image file, an open binary "
    "file, or a uint8 array of shape (height, width), (height, width, 3) or (height, width, 4)"
)


def query_terms(
    text: str | None, image: ImageInput | None, weights: tuple[float, float]
) -> tuple[Term, ...]:
    """The terms of a text, an image, or both; `weights` are theirs, in this order."""
    if text is not None and not isinstance(text, str):
        raise UsageError(f"text must be a string, not {show(text)}: use image= for images")
    try:
        text_weight, image_weight = weights
    except (TypeError, ValueError):
        raise UsageError(
            f"weights must be two numbers, of the text and of the image, not {show(weights)}"
        ) from None
    text_weight = number("weight of the text", text_weight)
    image_weight = number("weight of the image", image_weight)
    given = (text, text_weight), (None if image is None else to_content(image), image_weight)
    return tuple(Term(content, weight) for content, weight in given if content is not None)


def to_content(image: ImageInput) -> Path | StoredImage | RemoteImage | Image.Image:
    """Return the content of an image term; a str is a path, a URL or `id:…`.

    Raises UsageError on a value of another kind, ImageError on bytes that are not an image.
    """
    if isinstance(image, str):
        if not image.strip():
            raise UsageError(f"an image must be {ACCEPTED}, not an empty string")
        return as_image(image)
    return image if isinstance(image, StoredImage | RemoteImage) else to_image(image)


def to_contents(images: Any) -> list[Path | StoredImage | RemoteImage | Image.Image]:
    """Return the contents of several images, in order; a single image counts as one.

    A (n, height, width, channels) array holds n images.
    """
    if isinstance(images, np.ndarray):
        images = images if images.ndim == 4 else [images]
    elif _is_single(images) or isinstance(images, dict) or not hasattr(images, "__iter__"):
        images = [images]
    return [to_content(image) for image in images]


def to_image(value: Any) -> Path | Image.Image:
    """Return a path or an image of Pillow's for one in memory; raises as `to_content` does."""
    if isinstance(value, Path | Image.Image):
        return value
    if isinstance(value, os.PathLike):
        return Path(os.fsdecode(value))
    if isinstance(value, np.ndarray):
        return _from_array(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _decoded(bytes(value))
    if hasattr(value, "read"):
        return _decoded(_read(value))
    raise UsageError(f"an image must be {ACCEPTED}, not {show(value)}")


def _read(file: Any) -> bytes:
    """The rest of an open file."""
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # a closed file is a ValueError
        raise ImageError(f"an open image file: {describe_error(error)}") from error
    if not isinstance(data, bytes):
        raise UsageError("an open image file must be binary: open it with the mode 'rb'")
    if not data:
        raise ImageError("an open image file: nothing is left to read, seek(0) goes to its start")
    return data


def _is_single(value: Any) -> bool:
    names: tuple[type, ...] = (str, os.PathLike, StoredImage, RemoteImage)
    data: tuple[type, ...] = (Image.Image, bytes, bytearray, memoryview)
    return isinstance(value, names + data) or hasattr(value, "read")


def _decoded(data: bytes) -> Image.Image:
    try:
        return decode(data).image
    except ImageError as error:
        raise ImageError(f"an image in memory: {error}") from error


def _from_array(array: NDArray[Any]) -> Image.Image:
    shape = array.shape[:-1] if array.ndim == 3 and array.shape[-1] == 1 else array.shape
    if array.dtype != np.uint8 or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))):
        raise UsageError(f"an image must be {ACCEPTED}, not {array.dtype} of shape {array.shape}")
    if not array.size:
        raise UsageError(f"an image of shape {array.shape} has no pixels")
    return Image.fromarray(np.ascontiguousarray(array.reshape(shape)))
