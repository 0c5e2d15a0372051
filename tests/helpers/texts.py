"""Texts of images for tests."""

from collections.abc import Sequence
from pathlib import Path

from clipsearch.images.hashing import image_id
from clipsearch.ocr.image_text import Box, ImageText, TextLine
from clipsearch.store.texts import TextRow

BOX: Box = (0.1, 0.2, 0.9, 0.2, 0.9, 0.25, 0.1, 0.25)
READER = "fake reader 1"


def image_text(*lines: str, reader: str = READER) -> ImageText:
    """The text of an image, all lines at one place."""
    return ImageText(tuple(TextLine(line, BOX, 0.875) for line in lines), reader)


def text_row(path: str | Path, lines: Sequence[str] = (), *, content: str = "hash") -> TextRow:
    """The text of the image at a path."""
    return TextRow(image_id(Path(path)), content, image_text(*lines))
