"""Random text on images, laid out like signs, captions, memes, notes and documents."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch.errors import UsageError
from clipsearch.fonts import find_fonts, group_by_family, has_glyphs
from clipsearch.models.crop import Box
from clipsearch.textness.text_block import Color, TextStyle, draw_block, fit_font_size, paste_block
from clipsearch.textness.vocabulary import ENGLISH, OTHER_SCRIPTS, random_text

Rng = np.random.Generator

OTHER_SCRIPT_SHARE = 0.2  # of the texts
MAX_TRIES = 12  # random fonts tried until one has all characters


class TextRenderer:
    """Draws random text onto images, deterministic for a random generator and a set of fonts.

    `words` replaces the built-in vocabulary of English and other scripts, `fonts` this machine's
    font files; without fonts, Pillow's own font is used. Thread-safe. Raises UsageError if `words`
    is empty.
    """

    def __init__(
        self, *, words: Sequence[str] | None = None, fonts: Sequence[Path] | None = None
    ) -> None:
        if words is not None and not words:
            raise UsageError("the list of words to draw is empty")
        self._words = ENGLISH if words is None else tuple(words)
        self._scripts = OTHER_SCRIPTS if words is None else ()
        # Families are drawn first, so that one with fifty weights does not dominate.
        self._families = group_by_family(find_fonts() if fonts is None else fonts)

    def render(
        self,
        image: Image.Image,
        rng: Rng,
        *,
        text: str | None = None,
        within: Box | None = None,
    ) -> Image.Image:
        """A copy of an RGB image with text on it: `text`, once, or random words and numbers.

        All of it lies inside the box `within`, such as the part of the image that a model keeps.
        """
        box = within or (0, 0, *image.size)
        result = image.convert("RGB")
        result.paste(self._draw_with_retries(result.crop(box), rng, text), box[:2])
        return result

    def _draw_with_retries(self, image: Image.Image, rng: Rng, text: str | None) -> Image.Image:
        for _ in range(MAX_TRIES):
            try:
                return self._draw(image.copy(), rng, text)
            except (OSError, ValueError):  # a font that is damaged beyond what `has_glyphs` checks
                continue
        return TextRenderer(words=self._words, fonts=())._draw(image.copy(), rng, text)

    def _draw(self, image: Image.Image, rng: Rng, text: str | None) -> Image.Image:
        """Draw onto the given image, in a random layout, and return it."""
        if text is not None:
            paste_block(image, self._block(image, rng, [text], _uniform(rng, 0.3, 0.9)), rng)
            return image
        layouts: tuple[tuple[float, Callable[[Image.Image, Rng], None]], ...] = (
            (0.45, partial(self._draw_signs, max_count=1)),
            (0.15, partial(self._draw_signs, max_count=5)),
            (0.10, self._draw_meme),
            (0.15, self._draw_paragraph),
            (0.15, self._draw_page),
        )
        choice = int(rng.choice(len(layouts), p=[share for share, _ in layouts]))
        layouts[choice][1](image, rng)
        return image

    def _draw_signs(self, image: Image.Image, rng: Rng, *, max_count: int) -> None:
        """A few words in random places, like signs, labels and dates."""
        for _ in range(rng.integers(1, max_count + 1)):
            lines = self._lines(rng, int(rng.choice([1, 1, 1, 2, 3])), words=(1, 3))
            paste_block(image, self._block(image, rng, lines, _uniform(rng, 0.2, 0.95)), rng)

    def _draw_meme(self, image: Image.Image, rng: Rng) -> None:
        """Large outlined letters along the top, the bottom or both."""
        style = TextStyle(self._font(rng, "ABC"), (255, 255, 255), (0, 0, 0))
        for position in rng.permutation([0.02, 0.98])[: rng.integers(1, 3)]:
            lines = [line.upper() for line in self._lines(rng, 1, words=(2, 5), latin=True)]
            size = fit_font_size(lines, style.font, image.width * 0.94, image.height * 0.25)
            block = draw_block(lines, style, size)
            left, top = (image.width - block.width) // 2, (image.height - block.height) * position
            image.paste(block, (left, round(top)), block)

    def _draw_paragraph(self, image: Image.Image, rng: Rng) -> None:
        """Three to eight lines in one place, like notes and captions."""
        lines = self._lines(rng, int(rng.integers(3, 9)), words=(2, 5))
        paste_block(image, self._block(image, rng, lines, _uniform(rng, 0.45, 0.95)), rng)

    def _draw_page(self, image: Image.Image, rng: Rng) -> None:
        """Many lines on a page that covers most of the image: a document, receipt or screenshot."""
        width, height = (round(length * _uniform(rng, 0.7, 1.0)) for length in image.size)
        if rng.random() < 0.3:
            width = round(width * 0.55)  # a receipt
        paper = _color(rng, 225, 256) if rng.random() < 0.75 else _color(rng, 0, 60)
        ink = _color(rng, 0, 90) if sum(paper) > 380 else _color(rng, 190, 256)
        page = Image.new("RGB", (max(width, 8), max(height, 8)), paper)
        lines = self._lines(rng, int(rng.integers(6, 17)), words=(2, 7))
        style = TextStyle(self._font(rng, "".join(lines)), ink)
        size = fit_font_size(lines, style.font, width * 0.9, height * 0.92)
        block = draw_block(lines, style, size)
        page.paste(block, (width // 20, height // 25), block)
        left = round((image.width - width) * rng.random())
        top = round((image.height - height) * rng.random())
        image.paste(page, (left, top))

    def _block(
        self, image: Image.Image, rng: Rng, lines: Sequence[str], width_share: float
    ) -> Image.Image:
        """Lines in a random style, `width_share` of the image's width wide before rotation."""
        style = self._style(rng, "".join(lines))
        height = image.height * (0.35 if len(lines) == 1 else 0.8)
        size = fit_font_size(lines, style.font, image.width * width_share, height)
        return draw_block(lines, style, size).rotate(
            style.angle, expand=True, resample=Image.Resampling.BICUBIC
        )

    def _style(self, rng: Rng, text: str) -> TextStyle:
        is_light = rng.random() < 0.5
        color = _color(rng, 170, 256) if is_light else _color(rng, 0, 110)
        contrast = _color(rng, 0, 70) if is_light else _color(rng, 190, 256)
        kind = rng.random()
        panel = (*contrast, int(rng.choice([150, 255, 255]))) if kind < 0.45 else None
        outline = contrast if kind > 0.65 or (panel is None and rng.random() < 0.5) else None
        angle = float(
            rng.choice([0.0, _uniform(rng, -20, 20), rng.choice([90, -90, 45])], p=[0.6, 0.3, 0.1])
        )
        return TextStyle(self._font(rng, text), color, outline, panel, angle)

    def _lines(
        self, rng: Rng, count: int, *, words: tuple[int, int], latin: bool = False
    ) -> list[str]:
        """Random lines of so many words each; sometimes in another script, if a font has it."""
        vocabulary = self._words
        if self._scripts and not latin and rng.random() < OTHER_SCRIPT_SHARE:
            script = self._scripts[int(rng.integers(len(self._scripts)))]
            if self._font(rng, "".join(script)) is not None:
                vocabulary = script
        return [
            " ".join(random_text(rng, vocabulary, int(rng.integers(words[0], words[1] + 1))))
            for _ in range(count)
        ]

    def _font(self, rng: Rng, text: str) -> Path | None:
        """A random font with all characters; None, which stands for Pillow's own, if none has."""
        for _ in range(MAX_TRIES if self._families else 0):
            files = self._families[int(rng.integers(len(self._families)))]
            file = files[int(rng.integers(len(files)))]
            if has_glyphs(file, text):
                return file
        # Few fonts have rare scripts: try every family once, in random order.
        for position in rng.permutation(len(self._families)):
            file = self._families[int(position)][0]
            if has_glyphs(file, text):
                return file
        return None


def _color(rng: Rng, low: int, high: int) -> Color:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _uniform(rng: Rng, low: float, high: float) -> float:
    return float(rng.uniform(low, high))
