"""Text drawn into images, in any script that a font of this machine covers."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from unicodedata import normalize

from PIL import Image, ImageDraw, ImageFont

from clipsearch.fonts import Font, FontFile, has_glyphs, load_font
from clipsearch.render.font_choice import choose_font, fonts_of
from clipsearch.render.text_direction import levels, visual_order

__all__ = ["FontStack", "choose_font"]

DESCENT = 0.3  # of the size: how far emoji reach below the baseline


@dataclass(frozen=True, slots=True)
class FontStack:
    """A font size in pixels and the preferred font; other fonts draw the characters it lacks.

    `preferred` comes from `choose_font`; None is Pillow's built-in font.
    """

    size: int
    preferred: str | None = None

    def width(self, text: str) -> float:
        """The width of `text` in pixels."""
        return sum(run.width(self.size) for run in self._runs(text))

    def draw(
        self, canvas: ImageDraw.ImageDraw, position: tuple[float, float], text: str, color: str
    ) -> None:
        """Draw `text`, whose baseline starts at `position`."""
        x, baseline = position
        for run in self._runs(text):
            run.draw(canvas, (x, baseline), self.size, color)
            x += run.width(self.size)

    def _runs(self, text: str) -> Iterator["Run"]:
        """Split `text` into runs of one font and direction each, from left to right."""
        if not text:
            return
        names = fonts_of(text, self.preferred)
        keys = zip(levels(text), names, text, strict=True)
        runs = []
        for (level, name), group in groupby(keys, key=lambda key: key[:2]):
            part = "".join(_without_missing_accent(character, name) for *_, character in group)
            runs.append((level, Run(load_font(name, self.size), part, is_rtl=level % 2 == 1)))
        yield from visual_order(runs)


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a line in one font and direction, its characters in logical order."""

    font: Font
    text: str
    is_rtl: bool

    def width(self, size: int) -> float:
        """The width in pixels at a size; a bitmap font is scaled to it."""
        if not isinstance(self.font, ImageFont.FreeTypeFont):
            return self.font.getlength(self._visible)
        return self.font.getlength(self._visible, direction=self._direction) * self._scale(size)

    def draw(
        self, canvas: ImageDraw.ImageDraw, position: tuple[float, float], size: int, color: str
    ) -> None:
        """Draw the run with its baseline starting at `position`."""
        if not isinstance(self.font, ImageFont.FreeTypeFont):
            canvas.text(position, self._visible, color, self.font)  # it takes no anchor
        elif self._scale(size) != 1:
            self._draw_scaled(canvas, position, size)
        else:
            canvas.text(
                position,
                self._visible,
                color,
                self.font,
                "ls",
                direction=self._direction,
                embedded_color=canvas.mode in {"RGB", "RGBA"},
            )

    def _draw_scaled(
        self, canvas: ImageDraw.ImageDraw, position: tuple[float, float], size: int
    ) -> None:
        """Draw bitmaps in color, such as emoji, at another size than the font has."""
        assert isinstance(self.font, ImageFont.FreeTypeFont)
        scale, height = self._scale(size), ceil(self.font.size * (1 + DESCENT))
        width = ceil(self.font.getlength(self.text))
        glyphs = Image.new("RGBA", (max(1, width), height))
        ImageDraw.Draw(glyphs).text(
            (0, self.font.size), self.text, font=self.font, anchor="ls", embedded_color=True
        )
        reduced = glyphs.resize((max(1, round(width * scale)), max(1, round(height * scale))))
        corner = round(position[0]), round(position[1] - self.font.size * scale)
        # ImageDraw pastes masks of one color only; its image is the one that it draws on.
        canvas._image.paste(reduced, corner, reduced)

    def _scale(self, size: int) -> float:
        return size / self.font.size if isinstance(self.font, ImageFont.FreeTypeFont) else 1.0

    @property
    def _visible(self) -> str:
        """The text as Pillow takes it: without libraqm, right-to-left text is reversed."""
        return self.text[::-1] if self.is_rtl and self._direction is None else self.text

    @property
    def _direction(self) -> str | None:
        # The basic layout engine takes no direction, and does not join letters.
        if getattr(self.font, "layout_engine", None) != ImageFont.Layout.RAQM:
            return None
        return "rtl" if self.is_rtl else "ltr"


def _without_missing_accent(character: str, name: FontFile) -> str:
    """`character`, or its base letter if the font has only that."""
    letter = normalize("NFKD", character)[0]
    return letter if not has_glyphs(name, character) and has_glyphs(name, letter) else character
