"""The text that was read in an image; imported without numpy."""

from dataclasses import dataclass
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float, float, float, float, float]
"""The corners x1, y1, … x4, y4 of a line, clockwise from where its text starts at the top.

They are fractions of the width and the height of the upright image, 0..1, so that they fit each of
its sizes. A rotated line has rotated corners.
"""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text in an image, as it was recognized; `confidence` is 0..1."""

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class ImageText:
    """The text in an image: its lines in the order of reading; none if it shows no text.

    `reader` names what read it, with its version: another one may read it differently.
    """

    lines: tuple[TextLine, ...]
    reader: str

    @property
    def text(self) -> str:
        """All lines, one below another."""
        return "\n".join(line.text for line in self.lines)
