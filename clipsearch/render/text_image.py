"""Text drawn with the fonts that this machine has, so that any script comes out where it can."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from unicodedata import category, normalize

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Pillow looks each file name up in the font folders of Linux, macOS and Windows. First the plain
# sans-serif faces, one of which nearly every system has, then those for single scripts. None is
# the face inside Pillow: handsome, but English only.
_PLAIN: tuple[str | None, ...] = (
    "Inter-Regular.ttf",
    "NotoSans-Regular.ttf",
    "SFNS.ttf",
    "segoeui.ttf",
    "Roboto-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    None,
    "DejaVuSans.ttf",
)
_SCRIPTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "Hiragino Sans GB.ttc",
    "PingFang.ttc",
    "AppleSDGothicNeo.ttc",
    "YuGothM.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "WenQuanYi Micro Hei.ttf",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "Nirmala.ttf",
    "NotoEmoji-Regular.ttf",
    "seguiemj.ttf",
    "DejaVuSans.ttf",
    "Arial Unicode.ttf",
)
_PROBE_SIZE = 16
_NO_CHARACTER = "\U0010ffff"  # permanently unassigned, so every font draws its "missing" box


@dataclass(frozen=True, slots=True)
class TextStyle:
    """Text of one size in pixels: in the font `plain`, or in fonts that have what it lacks.

    `plain` comes from `choose_font`; None is the face inside Pillow.
    """

    size: int
    plain: str | None = None

    def width(self, text: str) -> float:
        """The width of `text` in pixels."""
        return sum(_length(font, part) for font, part in self._runs(text))

    def draw(
        self, canvas: ImageDraw.ImageDraw, position: tuple[float, float], text: str, fill: str
    ) -> None:
        """Draw `text` from its left end on the baseline at `position`."""
        x, baseline = position
        for font, part in self._runs(text):
            canvas.text(
                (x, baseline), part, fill, font, _baseline(font), direction=_direction(font)
            )
            x += _length(font, part)

    def _runs(self, text: str) -> Iterator[tuple[Font, str]]:
        """`text` in pieces of one font each."""
        names = [_font_for(character, self.plain) for character in text]
        for position, character in enumerate(text):
            if position and category(character).startswith("M"):
                names[position] = names[position - 1]  # an accent goes with its letter
        for name, group in groupby(zip(names, text, strict=True), key=lambda pair: pair[0]):
            yield _open(name, self.size), "".join(_drawable(one, name) for _, one in group)


def choose_font(text: str) -> str | None:
    """The font that has most of the characters of `text`, the handsomer one when equal.

    Chosen once for all the words of a picture, so that they look alike.
    """
    characters = set(text)
    return max(
        (name for name in _PLAIN if _is_installed(name)),
        key=lambda name: sum(_covers(name, character) for character in characters),
    )


@lru_cache(maxsize=4096)
def _font_for(character: str, plain: str | None) -> str | None:
    candidates = (plain, *_SCRIPTS)
    return next((name for name in candidates if _covers(name, character)), plain)


def _drawable(character: str, name: str | None) -> str:
    """`character`, or its letter without the accent where the font has only that."""
    letter = normalize("NFKD", character)[0]
    return letter if not _covers(name, character) and _covers(name, letter) else character


@cache
def _covers(name: str | None, character: str) -> bool:
    """Whether the font has a glyph for `character`: one that differs from its "missing" box."""
    if not _is_installed(name):
        return False
    font = _open(name, _PROBE_SIZE)
    return character.isspace() or _glyph(font, character) != _glyph(font, _NO_CHARACTER)


def _glyph(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    try:
        mask = font.getmask(character)
    except (OSError, ValueError):  # a bitmap font lacks it, or this size; it counts as missing
        return (0, 0), b""
    return mask.size, bytes(mask)


@cache
def _is_installed(name: str | None) -> bool:
    try:
        _open(name, _PROBE_SIZE)
    except OSError:
        return False
    return True


@lru_cache(maxsize=64)
def _open(name: str | None, size: int) -> Font:
    return ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)


def _baseline(font: Font) -> str | None:
    # Pillow without FreeType has one bitmap font, which knows no anchors.
    return "ls" if isinstance(font, ImageFont.FreeTypeFont) else None


def _length(font: Font, text: str) -> float:
    if isinstance(font, ImageFont.FreeTypeFont):
        return font.getlength(text, direction=_direction(font))
    return font.getlength(text)


def _direction(font: Font) -> str | None:
    # Lines run from the left and hold Hebrew and Arabic words in their own order; left to guess,
    # libraqm would turn a whole piece around. The basic layout takes no direction.
    is_raqm = getattr(font, "layout_engine", None) == ImageFont.Layout.RAQM
    return "ltr" if is_raqm else None
