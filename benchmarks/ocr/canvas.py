"""Images with text whose words and sizes are known."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.ocr.vocabulary import Rng
from clipsearch.fonts import find_fonts, group_by_family, has_glyphs, load_font

Color = tuple[int, int, int]

MIN_CONTRAST = 4.5
"""Of a text and the median of what is behind it: what WCAG 2 asks of text that is to be read."""


@dataclass(frozen=True, slots=True)
class WrittenText:
    """Words that stand in a line of an image, and the size of their font in pixels."""

    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Sample:
    """An image of some kind with all the text that is in it; `turned` is 0, 90, 180 or 270."""

    kind: str
    image: Image.Image
    texts: tuple[WrittenText, ...]
    turned: int = 0


class FontChoice:
    """Fonts of a folder or of this machine; families are chosen first, then their files.

    Thin and decorative fonts are left out: at 12 pixels people cannot read them either.
    """

    def __init__(self, folder: Path | None = None) -> None:
        files = find_fonts() if folder is None else find_fonts([folder])
        thin = ("Thin", "Light", "Hairline", "Amatic")
        self._families = group_by_family(
            file for file in files if not any(word in file.name for word in thin)
        )

    def choose(self, rng: Rng, text: str, *, mono: bool = False) -> Path | None:
        """A font that has the characters of a text; None, Pillow's own font, if there is none."""
        families = [
            [file for file in files if has_glyphs(file, text) and (not mono or "Mono" in file.name)]
            for files in self._families
        ]
        families = [files for files in families if files]
        if not families:
            return self.choose(rng, text) if mono else None
        files = families[int(rng.integers(len(families)))]
        return files[int(rng.integers(len(files)))]


class Canvas:
    """An image on which texts are written one by one, without overlap."""

    def __init__(self, image: Image.Image, rng: Rng, fonts: FontChoice) -> None:
        self.image = image.convert("RGB")
        self.texts: list[WrittenText] = []
        self._rng = rng
        self._fonts = fonts
        self._taken: list[tuple[int, int, int, int]] = []

    def write(
        self,
        text: str,
        size: int,
        place: tuple[int, int],
        *,
        color: Color | None = None,
        font: Path | None = None,
        plate: bool = False,
    ) -> tuple[int, int] | None:
        """Write a line with its top left corner at a place; return its size, None if it won't fit.

        Without `color` it is black, white or a color that contrasts with what is behind it. With
        `plate` it stands on a plate of one color, else it is not written where it is illegible.
        """
        face = load_font(font or self._fonts.choose(self._rng, text), size)
        pen = ImageDraw.Draw(self.image)
        left, top, right, bottom = (round(value) for value in pen.textbbox(place, text, font=face))
        margin = size // 2
        box = (left - margin, top - margin, right + margin, bottom + margin)
        if box[0] < 0 or box[1] < 0 or box[2] > self.image.width or box[3] > self.image.height:
            return None
        if any(_overlap(box, other) for other in self._taken):
            return None
        behind = np.asarray(self.image.crop((left, top, right, bottom)))
        if color is None:
            color = contrasting(self._rng, behind)
        if plate:
            back = contrasting(self._rng, np.full((1, 1, 3), color))
            pen.rectangle((left - margin, top - margin, right + margin, bottom + margin), fill=back)
        elif not legible(color, behind):
            return None
        pen.text(place, text, font=face, fill=color)
        self._taken.append(box)
        self.texts.append(WrittenText(text, size))
        return right - left, bottom - top

    def scatter(self, text: str, size: int, *, plate: bool = False) -> bool:
        """Write a line at a random place that is free; False if none is found."""
        for _ in range(20):
            x, y = (int(self._rng.integers(0, max(side - size, 1))) for side in self.image.size)
            if self.write(text, size, (x, y), plate=plate):
                return True
        return False

    def sample(self, kind: str) -> Sample:
        """The image with its texts."""
        return Sample(kind, self.image, tuple(self.texts))


def contrasting(rng: Rng, behind: np.ndarray, *, plain: bool = False) -> Color:
    """A color that contrasts with the median of some pixels: black or white, or any other one."""
    median = np.median(behind.reshape(-1, 3), axis=0)
    for _ in range(0 if plain or rng.random() < 0.5 else 30):
        color = rng.integers(0, 256, 3)
        if contrast(color, median) >= MIN_CONTRAST:
            return tuple(color.tolist())
    black, white = np.zeros(3), np.full(3, 255)
    best = black if contrast(black, median) > contrast(white, median) else white
    return tuple(best.astype(int).tolist())


def legible(color: Color, behind: np.ndarray) -> bool:
    """Whether a color stands out from nine of ten of the pixels behind it."""
    some = behind.reshape(-1, 3)[:: max(1, behind.size // 3000)]
    return float(np.mean([contrast(np.array(color), pixel) >= 3 for pixel in some])) >= 0.9


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """The ratio of the luminances of two colors, by WCAG 2: 1 to 21."""
    values = sorted((_luminance(one), _luminance(other)))
    return (values[1] + 0.05) / (values[0] + 0.05)


def _luminance(color: np.ndarray) -> float:
    channels = np.asarray(color, float) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _overlap(one: Sequence[int], other: Sequence[int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def turned(sample: Sample, degrees: int) -> Sample:
    """The same sample, rotated clockwise by 90, 180 or 270 degrees."""
    turns = {
        0: None,
        90: Image.Transpose.ROTATE_270,
        180: Image.Transpose.ROTATE_180,
        270: Image.Transpose.ROTATE_90,
    }
    if (method := turns[degrees]) is None:
        return sample
    return replace(sample, image=sample.image.transpose(method), turned=degrees)


def as_jpeg(sample: Sample, quality: int) -> Sample:
    """The same sample with the losses of a JPEG file."""
    data = io.BytesIO()
    sample.image.save(data, "JPEG", quality=quality)
    data.seek(0)
    return replace(sample, image=Image.open(data).convert("RGB"))
