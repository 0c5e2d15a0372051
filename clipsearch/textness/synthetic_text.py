"""Random text drawn onto pictures, as signs, captions, memes, notes, dates and pages have it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from clipsearch.errors import UsageError
from clipsearch.models.crop import Box
from clipsearch.textness.fonts import Font, find_fonts, font_family, has_glyphs, load_font
from clipsearch.textness.vocabulary import ENGLISH, OTHER_SCRIPTS, random_text

Rng = np.random.Generator
Color = tuple[int, int, int]

SMALLEST = 9  # pixels of letter height: smaller ones drown when a model shrinks the picture
OTHER_SCRIPT = 0.2  # share of the texts
TRIES = 12  # fonts looked at until one has all the letters


@dataclass(frozen=True, slots=True)
class _Look:
    """How one piece of text is drawn; `box` is what stands behind it, `outline` around letters."""

    font: Path | None
    ink: Color
    outline: Color | None
    box: tuple[int, int, int, int] | None
    angle: float


class TextRenderer:
    """Draws random text onto pictures: deterministic for one random generator and one set of fonts.

    `words` replaces the built-in English ones (and the other scripts), `fonts` the font files of
    this machine; with none the face inside Pillow writes. Safe in threads. Raises UsageError where
    `words` is empty.
    """

    def __init__(
        self, *, words: Sequence[str] | None = None, fonts: Sequence[Path] | None = None
    ) -> None:
        if words is not None and not words:
            raise UsageError("no words to write")
        self._words = ENGLISH if words is None else tuple(words)
        self._scripts = OTHER_SCRIPTS if words is None else ()
        files = find_fonts() if fonts is None else tuple(fonts)
        by_family: dict[str, list[Path]] = {}
        for file in files:
            by_family.setdefault(font_family(file), []).append(file)
        # Drawn by family first: one with fifty weights must not write most of the texts.
        self._families = [by_family[name] for name in sorted(by_family)]

    def render(
        self,
        image: Image.Image,
        rng: Rng,
        *,
        text: str | None = None,
        within: Box | None = None,
    ) -> Image.Image:
        """A copy of an RGB picture with text on it: `text`, once, or random words and numbers.

        None of it is outside of `within`, where that is given: what a model does not see.
        """
        box = within or (0, 0, *image.size)
        written = image.convert("RGB")
        written.paste(self._with_a_sound_font(written.crop(box), rng, text), box[:2])
        return written

    def _with_a_sound_font(self, sheet: Image.Image, rng: Rng, text: str | None) -> Image.Image:
        for _ in range(TRIES):
            try:
                return self._write(sheet.copy(), rng, text)
            except (OSError, ValueError):  # a font that is broken where nobody looked
                continue
        return TextRenderer(words=self._words, fonts=())._write(sheet.copy(), rng, text)

    def _write(self, sheet: Image.Image, rng: Rng, text: str | None) -> Image.Image:
        if text is not None:
            return _put(sheet, rng, self._block(sheet, rng, [text], _between(rng, 0.3, 0.9)))
        ways: tuple[tuple[float, Callable[[Image.Image, Rng], Image.Image]], ...] = (
            (0.45, partial(self._pieces, most=1)),
            (0.15, partial(self._pieces, most=5)),
            (0.10, self._meme),
            (0.15, self._paragraph),
            (0.15, self._page),
        )
        way = rng.choice(len(ways), p=[share for share, _ in ways])
        return ways[int(way)][1](sheet, rng)

    def _pieces(self, sheet: Image.Image, rng: Rng, *, most: int) -> Image.Image:
        """Words here and there, as signs, labels and dates are."""
        for _ in range(rng.integers(1, most + 1)):
            lines = self._lines(rng, int(rng.choice([1, 1, 1, 2, 3])), words=(1, 3))
            sheet = _put(sheet, rng, self._block(sheet, rng, lines, _between(rng, 0.2, 0.95)))
        return sheet

    def _meme(self, sheet: Image.Image, rng: Rng) -> Image.Image:
        """Large outlined letters along the top, the bottom or both."""
        look = _Look(self._font(rng, "ABC"), (255, 255, 255), (0, 0, 0), None, 0)
        for end in rng.permutation([0.02, 0.98])[: rng.integers(1, 3)]:
            lines = [line.upper() for line in self._lines(rng, 1, words=(2, 5), latin=True)]
            block = _draw_lines(
                lines, look, _fitting(lines, look.font, sheet.width * 0.94, sheet.height * 0.25)
            )
            left, top = (sheet.width - block.width) // 2, (sheet.height - block.height) * end
            sheet.paste(block, (left, round(top)), block)
        return sheet

    def _paragraph(self, sheet: Image.Image, rng: Rng) -> Image.Image:
        """Three to eight lines in one place, as notes and captions have it."""
        lines = self._lines(rng, int(rng.integers(3, 9)), words=(2, 5))
        return _put(sheet, rng, self._block(sheet, rng, lines, _between(rng, 0.45, 0.95)))

    def _page(self, sheet: Image.Image, rng: Rng) -> Image.Image:
        """Many lines on paper that covers most of the picture: a document, receipt or screenshot."""
        width, height = (round(side * _between(rng, 0.7, 1.0)) for side in sheet.size)
        if rng.random() < 0.3:
            width = round(width * 0.55)  # a receipt
        paper = _colour(rng, 225, 256) if rng.random() < 0.75 else _colour(rng, 0, 60)
        ink = _colour(rng, 0, 90) if sum(paper) > 380 else _colour(rng, 190, 256)
        page = Image.new("RGB", (max(width, 8), max(height, 8)), paper)
        lines = self._lines(rng, int(rng.integers(6, 17)), words=(2, 7))
        look = _Look(self._font(rng, "".join(lines)), ink, None, None, 0)
        block = _draw_lines(lines, look, _fitting(lines, look.font, width * 0.9, height * 0.92))
        page.paste(block, (width // 20, height // 25), block)
        left = round((sheet.width - width) * rng.random())
        top = round((sheet.height - height) * rng.random())
        sheet.paste(page, (left, top))
        return sheet

    def _block(
        self, sheet: Image.Image, rng: Rng, lines: Sequence[str], share: float
    ) -> Image.Image:
        """Lines in a random look, `share` of the sheet wide."""
        look = self._look(rng, "".join(lines))
        height = sheet.height * (0.35 if len(lines) == 1 else 0.8)
        size = _fitting(lines, look.font, sheet.width * share, height)
        return _draw_lines(lines, look, size).rotate(
            look.angle, expand=True, resample=Image.Resampling.BICUBIC
        )

    def _look(self, rng: Rng, text: str) -> _Look:
        light = rng.random() < 0.5
        ink = _colour(rng, 170, 256) if light else _colour(rng, 0, 110)
        against = _colour(rng, 0, 70) if light else _colour(rng, 190, 256)
        kind = rng.random()
        box = (*against, int(rng.choice([150, 255, 255]))) if kind < 0.45 else None
        outline = against if kind > 0.65 or (box is None and rng.random() < 0.5) else None
        angle = float(
            rng.choice([0.0, _between(rng, -20, 20), rng.choice([90, -90, 45])], p=[0.6, 0.3, 0.1])
        )
        return _Look(self._font(rng, text), ink, outline, box, angle)

    def _lines(
        self, rng: Rng, count: int, *, words: tuple[int, int], latin: bool = False
    ) -> list[str]:
        """Random lines; in another script where a font of this machine has it."""
        vocabulary = self._words
        if self._scripts and not latin and rng.random() < OTHER_SCRIPT:
            script = self._scripts[int(rng.integers(len(self._scripts)))]
            if self._font(rng, "".join(script)) is not None:
                vocabulary = script
        return [
            " ".join(random_text(rng, vocabulary, int(rng.integers(words[0], words[1] + 1))))
            for _ in range(count)
        ]

    def _font(self, rng: Rng, text: str) -> Path | None:
        """A font that has all the letters; None, which has those of Europe's west, where none does."""
        for _ in range(TRIES if self._families else 0):
            files = self._families[int(rng.integers(len(self._families)))]
            file = files[int(rng.integers(len(files)))]
            if has_glyphs(file, text):
                return file
        # Scripts that few fonts have deserve a longer look, in an order of this call's own.
        for position in rng.permutation(len(self._families)):
            file = self._families[int(position)][0]
            if has_glyphs(file, text):
                return file
        return None


def draw_background(rng: Rng, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A drawn RGB picture without text: a gradient with shapes and grain on it."""
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    sheet = Image.fromarray(corners, "RGB").resize(size, Image.Resampling.BICUBIC)
    for _ in range(rng.integers(1, 12)):
        _shape(ImageDraw.Draw(sheet), rng, size)
    grain = rng.normal(0, rng.uniform(0, 18), (size[1], size[0], 1))
    return Image.fromarray((np.asarray(sheet) + grain).clip(0, 255).astype(np.uint8), "RGB")


def _shape(canvas: ImageDraw.ImageDraw, rng: Rng, size: tuple[int, int]) -> None:
    x, y = rng.random(2) * size
    width, height = rng.uniform(0.05, 0.5, 2) * size
    frame = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    kind, ink = rng.integers(4), _colour(rng, 0, 256)
    if kind == 0:
        canvas.ellipse(frame, fill=ink)
    elif kind == 1:
        canvas.rectangle(frame, fill=ink)
    elif kind == 2:
        canvas.line(frame, fill=ink, width=int(rng.integers(1, 12)))
    else:
        points = rng.random((int(rng.integers(3, 7)), 2)) * (width, height) + frame[:2]
        canvas.polygon([(float(a), float(b)) for a, b in points], fill=ink)


def _put(sheet: Image.Image, rng: Rng, block: Image.Image) -> Image.Image:
    """The block pasted anywhere on the sheet, wholly inside where it fits."""
    if block.width > sheet.width or block.height > sheet.height:  # turned, a line is long
        block.thumbnail(sheet.size, Image.Resampling.LANCZOS)
    left = int(rng.integers(sheet.width - block.width + 1))
    top = int(rng.integers(sheet.height - block.height + 1))
    sheet.paste(block, (left, top), block)
    return sheet


def _draw_lines(lines: Sequence[str], look: _Look, size: int) -> Image.Image:
    """Lines below each other as RGBA, as small as holds them."""
    font = load_font(look.font, size)
    text = "\n".join(lines)
    stroke = max(1, size // 14) if look.outline else 0
    left, top, right, bottom = _box(text, font, stroke)
    margin = max(2, size // 4) if look.box else 1
    frame = (max(1, right - left) + 2 * margin, max(1, bottom - top) + 2 * margin)
    block = Image.new("RGBA", frame, look.box or (*look.ink, 0))
    canvas = ImageDraw.Draw(block)
    start = (margin - left, margin - top)
    canvas.multiline_text(
        start, text, (*look.ink, 255), font, stroke_width=stroke, stroke_fill=look.outline
    )
    return block


def _fitting(lines: Sequence[str], font: Path | None, width: float, height: float) -> int:
    """The font size in pixels at which the lines fill the frame, in one of its two directions."""
    left, top, right, bottom = _box("\n".join(lines), load_font(font, 40), 0)
    share = min(width / max(1, right - left), height / max(1, bottom - top))
    return max(SMALLEST, int(40 * share))


def _box(text: str, font: Font, stroke: int) -> tuple[int, int, int, int]:
    canvas = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = canvas.multiline_textbbox((0, 0), text, font, stroke_width=stroke)
    return int(left), int(top), int(right) + 1, int(bottom) + 1


def _colour(rng: Rng, low: int, high: int) -> Color:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _between(rng: Rng, low: float, high: float) -> float:
    return float(rng.uniform(low, high))
