"""Texts of images for tests."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

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


class ColorReader:
    """Reads an image of one color as the numbers of that color; a white one shows no text."""

    def __init__(self, name: str = READER) -> None:
        self.name = name
        self.concurrency = 2
        self.read_colors: list[str] = []

    def read(self, image: Image.Image) -> ImageText:
        """Return one line, or none."""
        self.read_colors.append(words := color_words(image.getpixel((0, 0))))
        return image_text(*([] if words == "255 255 255" else [words]), reader=self.name)


def color_words(color: object) -> str:
    """The text that a ColorReader reads in an image of one color."""
    assert isinstance(color, tuple)
    return " ".join(map(str, color))
