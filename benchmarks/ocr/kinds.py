"""The kinds of images with text: photographs, pages, receipts, signs, plates, scans."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.ocr.canvas import Canvas, Color, FontChoice, Sample, as_jpeg, turned
from benchmarks.ocr.vocabulary import (
    CJK,
    LANGUAGES,
    Rng,
    draw_number,
    draw_plate,
    draw_price,
    draw_word,
)
from clipsearch.textness.backgrounds import draw_background

SIZES = (12, 18, 24, 32, 48)
WHITE, INK, NIGHT = (255, 255, 255), (20, 20, 24), (24, 26, 32)


class SampleMaker:
    """Draws samples; equal for an equal seed, fonts and backgrounds."""

    def __init__(self, backgrounds: Sequence[Path], fonts: FontChoice, seed: int = 0) -> None:
        self._backgrounds = backgrounds
        self._fonts = fonts
        self._seed = seed

    def make(self, kind: str, number: int) -> Sample:
        """Draw the sample of a kind with a number; `number` also selects the size of its font."""
        rng = np.random.default_rng([self._seed, number, *kind.encode()])
        sample = KINDS[kind](self, rng, SIZES[number % len(SIZES)])
        return as_jpeg(sample, int(rng.integers(80, 96)))

    def photograph(self, rng: Rng, longest: int = 0) -> Image.Image:
        """A real photograph without text if there are any, else a generated background."""
        if not self._backgrounds:
            return draw_background(rng, (longest or 1024, (longest or 1024) * 3 // 4))
        path = self._backgrounds[int(rng.integers(len(self._backgrounds)))]
        image = Image.open(path).convert("RGB")
        if longest:
            scale = longest / max(image.size)
            image = image.resize(
                (round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS
            )
        return image

    def canvas(self, rng: Rng, image: Image.Image) -> Canvas:
        """A canvas on an image."""
        return Canvas(image, rng, self._fonts)

    def font(self, rng: Rng, text: str, *, mono: bool = False) -> Path | None:
        """A font that has the characters of a text."""
        return self._fonts.choose(rng, text, mono=mono)


def on_photograph(
    maker: SampleMaker, rng: Rng, size: int, *, longest: int = 0, degrees: int = 0
) -> Sample:
    """Five short texts of one size, each at a random place of a photograph."""
    canvas = maker.canvas(rng, maker.photograph(rng, longest))
    for _ in range(5):
        text = " ".join(draw_word(rng) for _ in range(int(rng.integers(1, 4))))
        text = draw_number(rng) if rng.random() < 0.15 else text
        canvas.scatter(text, size, plate=bool(rng.random() < 0.3))
    return turned(canvas.sample("photograph"), degrees)


def page(
    maker: SampleMaker,
    rng: Rng,
    size: int,
    *,
    language: str = "english",
    shape: tuple[int, int] = (1024, 768),
    degrees: int = 0,
) -> Sample:
    """A screenshot: a bar with a title, then columns of text, dark or bright."""
    dark = rng.random() < 0.3
    paper, ink = (NIGHT, (230, 230, 235)) if dark else (WHITE, INK)
    canvas = maker.canvas(rng, Image.new("RGB", shape, paper))
    ImageDraw.Draw(canvas.image).rectangle((0, 0, shape[0], 2 * size), fill=(70, 90, 160))
    sample_text = "".join((LANGUAGES | CJK)[language].split())
    font = maker.font(rng, sample_text + sample_text.upper() + "0123456789.,")
    title = " ".join(draw_word(rng, language) for _ in range(2))
    canvas.write(title, size, (size, size // 2), color=WHITE, font=font)
    y = 4 * size
    while y < shape[1] - 2 * size:
        x = size
        line = draw_word(rng, language)
        for _ in range(int(rng.integers(2, 10))):
            word = draw_number(rng) if rng.random() < 0.1 else draw_word(rng, language)
            line = f"{line} {word}"
        while line and not canvas.write(line, size, (x, y), color=ink, font=font):
            line = line.rpartition(" ")[0]
        y += round(size * rng.uniform(1.6, 2.4)) + size // 2
    return turned(canvas.sample("page"), degrees)


def receipt(maker: SampleMaker, rng: Rng, size: int, *, degrees: int = 0) -> Sample:
    """A receipt on a table: narrow type, names at the left and prices at the right, a bit askew."""
    width, rows = 22 * size, 14
    paper = Image.new("RGB", (width, (rows + 4) * round(1.7 * size)), (240, 238, 230))
    canvas = maker.canvas(rng, paper)
    font = maker.font(rng, "ABCxyz0123456789.€", mono=True)
    canvas.write(draw_word(rng).upper(), size, (6 * size, size), color=INK, font=font)
    for row in range(rows):
        y = round((3 + 1.6 * row) * size)
        canvas.write(draw_word(rng), size, (size, y), color=INK, font=font)
        canvas.write(draw_price(rng), size, (width - 6 * size, y), color=INK, font=font)
    behind = maker.photograph(rng).resize((width + 8 * size, paper.height + 8 * size))
    angle = rng.uniform(-4, 4)
    rotated = canvas.image.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    mask = Image.new("L", paper.size, 255).rotate(angle, expand=True)
    behind.paste(rotated, (4 * size, 4 * size), mask)
    return turned(Sample("receipt", behind, tuple(canvas.texts)), degrees)


def sign(maker: SampleMaker, rng: Rng, size: int, *, degrees: int = 0) -> Sample:
    """A colored sign in a photograph, seen from an angle and slightly out of focus."""
    text = " ".join(draw_word(rng) for _ in range(int(rng.integers(1, 4))))
    large = size * 2
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    color: Color = (red, green, blue)
    panel = Image.new("RGB", (round(large * (0.8 * len(text) + 2)), 3 * large), color)
    canvas = maker.canvas(rng, panel)
    canvas.write(text, large, (large, large))
    image = maker.photograph(rng, 1024)
    shrink = min(1.0, 0.9 * image.width / panel.width)
    shown = canvas.image.resize((round(panel.width * shrink), round(panel.height * shrink)))
    lean = rng.uniform(-0.15, 0.15)
    width, height = shown.width, round(shown.height * (1 + abs(lean)))
    slope = Image.Transform.AFFINE
    matrix = (1, 0, 0, lean * shown.height / shown.width, 1, min(0.0, -lean * shown.height))
    tilted = shown.transform((width, height), slope, matrix, Image.Resampling.BICUBIC)
    mask = Image.new("L", shown.size, 255).transform((width, height), slope, matrix)
    tilted = tilted.filter(ImageFilter.GaussianBlur(rng.uniform(0, large * shrink / 40)))
    x = int(rng.integers(0, max(image.width - width, 1)))
    y = int(rng.integers(0, max(image.height - height, 1)))
    image.paste(tilted, (x, y), mask)
    texts = tuple(type(each)(each.text, round(large * shrink)) for each in canvas.texts)
    return turned(Sample("sign", image, texts), degrees)


def plate(maker: SampleMaker, rng: Rng, size: int, *, degrees: int = 0) -> Sample:
    """Number plates in a photograph."""
    canvas = maker.canvas(rng, maker.photograph(rng, 1024))
    for _ in range(3):
        canvas.scatter(draw_plate(rng), size, plate=True)
    return turned(canvas.sample("plate"), degrees)


def blank(maker: SampleMaker, rng: Rng, _: int) -> Sample:
    """A photograph without text."""
    return Sample("blank", maker.photograph(rng), ())


Draw = Callable[[SampleMaker, Rng, int], Sample]

KINDS: dict[str, Draw] = {
    "photograph": on_photograph,
    "photograph, 1024 px": partial(on_photograph, longest=1024),
    "photograph, 4000 px": partial(on_photograph, longest=4000),
    "photograph, 90°": partial(on_photograph, longest=1024, degrees=90),
    "photograph, 180°": partial(on_photograph, longest=1024, degrees=180),
    "photograph, 270°": partial(on_photograph, longest=1024, degrees=270),
    "page": page,
    "page, 90°": partial(page, degrees=90),
    "page, 180°": partial(page, degrees=180),
    "page, 270°": partial(page, degrees=270),
    "tall screenshot": partial(page, shape=(1080, 6000)),
    "scan": partial(page, shape=(2480, 3508)),
    "receipt": receipt,
    "receipt, 90°": partial(receipt, degrees=90),
    "sign": sign,
    "plate": plate,
    **{f"page, {name}": partial(page, language=name) for name in (*LANGUAGES, *CJK)},
    "blank": blank,
}
