"""Text drawn into images, in any script that a font of this machine covers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from unicodedata import category, normalize

from PIL import ImageDraw, ImageFont

from clipsearch.fonts import PLAIN_FONTS, SCRIPT_FONTS, Font, has_glyphs, load_font


@dataclass(frozen=True, slots=True)
class FontStack:
    """A font size in pixels and the preferred font; other fonts draw the characters it lacks.

    `preferred` comes from `choose_font`; None is Pillow's built-in font.
    """

    size: int
    preferred: str | None = None

    def width(self, text: str) -> float:
        """The width of `text` in pixels."""
        return sum(_length(font, part) for font, part in self._runs(text))

    def draw(
        self, canvas: ImageDraw.ImageDraw, position: tuple[float, float], text: str, color: str
    ) -> None:
        """Draw `text`, whose baseline starts at `position`."""
        x, baseline = position
        for font, part in self._runs(text):
            canvas.text((x, baseline), part, color, font, _anchor(font), direction=_direction(font))
            x += _length(font, part)

    def _runs(self, text: str) -> Iterator[tuple[Font, str]]:
        """Split `text` into runs of one font each."""
        names = [_font_for(character, self.preferred) for character in text]
        for index, character in enumerate(text):
            if index and category(character).startswith("M"):
                names[index] = names[index - 1]  # a combining mark belongs to its letter
        for name, group in groupby(zip(names, text, strict=True), key=lambda pair: pair[0]):
            run = "".join(_without_missing_accent(character, name) for _, character in group)
            yield load_font(name, self.size), run


def choose_font(text: str) -> str | None:
    """The plain font that covers most characters of `text`; the first of equally good ones.

    Choose it once for all texts of an image, so that they look alike.
    """
    characters = set(text)
    return max(
        (name for name in PLAIN_FONTS if _is_installed(name)),
        key=lambda name: sum(has_glyphs(name, character) for character in characters),
    )


@lru_cache(maxsize=4096)
def _font_for(character: str, preferred: str | None) -> str | None:
    candidates = (preferred, *SCRIPT_FONTS)
    return next((name for name in candidates if has_glyphs(name, character)), preferred)


def _without_missing_accent(character: str, name: str | None) -> str:
    """`character`, or its base letter if the font has only that."""
    letter = normalize("NFKD", character)[0]
    return letter if not has_glyphs(name, character) and has_glyphs(name, letter) else character


@cache
def _is_installed(name: str | None) -> bool:
    try:
        load_font(name, 16)
    except OSError:
        return False
    return True


def _anchor(font: Font) -> str | None:
    # Pillow without FreeType has only a bitmap font, which takes no anchor.
    return "ls" if isinstance(font, ImageFont.FreeTypeFont) else None


def _length(font: Font, text: str) -> float:
    if isinstance(font, ImageFont.FreeTypeFont):
        return font.getlength(text, direction=_direction(font))
    return font.getlength(text)


def _direction(font: Font) -> str | None:
    # Lines run from left to right and keep Hebrew and Arabic words in their order. By default,
    # libraqm would reverse a complete run. The basic layout engine takes no direction.
    is_raqm = getattr(font, "layout_engine", None) == ImageFont.Layout.RAQM
    return "ltr" if is_raqm else None
