"""Words drawn on images: signs, captions, stickers, prices, in many fonts.

All random choices come from the generator passed in, so that a seed determines the image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from clipsearch.types import Pixels
from training.reading.fonts import Face, FontSet, font

Mask = NDArray[np.float32]
RENDERED = (
    14,
    18,
    23,
    30,
    38,
    48,
    62,
    80,
    104,
    136,
)  # font sizes in pixels: few, since open fonts are cached
LINE = 1.25  # from one baseline to the next, in sizes
CONTRAST = 70  # of 255, between letters and background


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of text in one font: masks `ink` and `edge` (h, w), and the place of each character.

    Rows of `chars` are (line, word, position in the word, left, right) in pixels of the mask; words
    are numbered across lines.
    """

    words: tuple[str, ...]
    ink: Image.Image
    edge: Image.Image | None
    chars: NDArray[np.float32]
    line_height: float
    top: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A block placed on an image: `inverse` (2, 3) maps image points (x, y, 1) to mask pixels.

    `box` is left, top, right, bottom in the image.
    """

    block: Block
    inverse: NDArray[np.float64]
    box: tuple[int, int, int, int]


def typeset(lines: Sequence[Sequence[str]], face: Face, size: int, edge: int) -> Block:
    """Typeset lines of words at `size` pixels, with an outline of `edge` pixels if not 0."""
    loaded = font(face.path, size)
    margin = edge + size // 4
    texts = [" ".join(line) for line in lines]
    width = math.ceil(max(loaded.getlength(text) for text in texts)) + 2 * margin
    height = math.ceil(size * (LINE * (len(lines) - 1) + 1.4)) + 2 * margin
    ink = Image.new("L", (width, height))
    pen = ImageDraw.Draw(ink)
    outline = Image.new("L", (width, height)) if edge else None
    rows, number = [], 0
    for i, (line, text) in enumerate(zip(lines, texts, strict=True)):
        y = margin + i * LINE * size
        pen.text((margin, y), text, fill=255, font=loaded)
        if outline:
            ImageDraw.Draw(outline).text(
                (margin, y), text, fill=255, font=loaded, stroke_width=edge
            )
        ends = margin + np.cumsum(
            [0.0, *map(loaded.getlength, text)]
        )  # kerning is too small to see
        at = 0
        for word in line:
            rows += [(i, number, k, ends[at + k], ends[at + k + 1]) for k in range(len(word))]
            at += len(word) + 1
            number += 1
    words = tuple(word for line in lines for word in line)
    chars = np.array(rows, np.float32)
    return Block(words, ink, outline, chars, LINE * size, margin - 0.05 * size)


def place(
    block: Block, size: tuple[int, int], rng: np.random.Generator, *, scale: float, stretch: float
) -> Placed | None:
    """Choose a place and an angle for a block on an image of `size`; None if it is too large.

    `scale` is image pixels per mask pixel, `stretch` an additional factor of the width.
    """
    sharp = rng.random()
    angle = rng.normal(0, 4) if sharp < 0.85 else rng.uniform(-35, 35)
    shear = rng.normal(0, 0.1) if rng.random() < 0.3 else 0.0
    turn = math.radians(angle)
    c, s = math.cos(turn), math.sin(turn)
    forward = np.array([[c, -s], [s, c]]) @ np.array(
        [[scale * stretch, scale * stretch * shear], [0, scale]]
    )
    w, h = block.ink.size
    corners = forward @ np.array([[0, w, w, 0], [0, 0, h, h]])
    low, high = corners.min(1), corners.max(1)
    room = np.array(size) - (high - low)
    slack = 0.03 * (high - low)  # the mask's margin may exceed the image
    if (room + 2 * slack < 0).any():
        return None
    at = rng.uniform(np.minimum(-slack, 0), np.maximum(room + slack, 0)) - low
    back = np.linalg.inv(forward)
    inverse = np.hstack([back, (-back @ at)[:, None]])
    left, top = np.maximum(np.floor(low + at), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + at), size).astype(int)
    return Placed(block, inverse, (int(left), int(top), int(right), int(bottom)))


def paint(canvas: Pixels, placed: Placed, rng: np.random.Generator) -> None:
    """Draw a placed block on `canvas` (h, w, 3) uint8, in readable colors."""
    left, top, right, bottom = placed.box
    region = canvas[top:bottom, left:right].astype(np.float32)
    if not region.size:
        return
    ink = _warp(placed.block.ink, placed)
    if rng.random() < 0.3:  # a plate behind the words
        plate = _warp(Image.new("L", placed.block.ink.size, 255), placed)
        region = _blend(region, _color(rng), plate * rng.uniform(0.5, 1.0))
    weight = float(ink.sum()) + 1e-6
    behind = (region * ink[..., None]).sum((0, 1)) / weight
    color = _readable(behind, rng)
    if placed.block.edge is not None:
        edge = _warp(placed.block.edge, placed)
        region = _blend(region, _readable(color, rng), edge)
    elif rng.random() < 0.25:  # a soft shadow
        dark = np.roll(ink, (1 + int(rng.integers(2)), 1), (0, 1))
        region = _blend(region, _readable(color, rng), dark * rng.uniform(0.3, 0.9))
    region = _blend(region, color, ink * rng.uniform(0.75, 1.0))
    canvas[top:bottom, left:right] = region.round().clip(0, 255).astype(np.uint8)


def draw_text(
    canvas: Pixels,
    lines: Sequence[Sequence[str]],
    hands: FontSet,
    rng: np.random.Generator,
    *,
    height: float,
    taken: Sequence[Placed] = (),
) -> Placed | None:
    """Draw lines of words on `canvas` in place; `height` is the letters' size in pixels.

    Long lines are drawn smaller, down to half. Returns None and draws nothing if even that is too
    large, or if the place overlaps a block in `taken`.
    """
    face = hands.choose(rng)
    stretch = float(np.exp(rng.normal(0, 0.2)))
    finer = height * rng.uniform(1.0, 1.8)  # drawn larger and scaled down, as in photos
    size = min(RENDERED, key=lambda known: abs(known - finer))
    edge = int(rng.integers(1, 2 + size // 14)) if rng.random() < 0.25 else 0
    block = typeset(lines, face, size, edge)
    scale = height / size
    fits = min(1.0, 0.97 * canvas.shape[1] / (block.ink.size[0] * scale * stretch))
    if fits < 0.5:
        return None
    placed = place(block, canvas.shape[1::-1], rng, scale=scale * fits, stretch=stretch)
    if placed is None or any(_overlap(placed.box, other.box) for other in taken):
        return None
    paint(canvas, placed, rng)
    return placed


def degrade(canvas: Pixels, rng: np.random.Generator) -> Pixels:
    """Apply blur, noise and changes of light to (h, w, 3) uint8."""
    if rng.random() < 0.3:
        soft = Image.fromarray(canvas).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
        canvas = np.asarray(soft)
    light = canvas.astype(np.float32) * rng.uniform(0.75, 1.2) + rng.uniform(-20, 20)
    if rng.random() < 0.3:
        light += rng.normal(0, rng.uniform(2, 9), canvas.shape).astype(np.float32)
    return light.clip(0, 255).astype(np.uint8)


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    """Whether boxes overlap by more than the masks' empty margins."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return across > 0 and down > 0 and across * down > 0.08 * smaller


def _warp(mask: Image.Image, placed: Placed) -> Mask:
    left, top, right, bottom = placed.box
    (a, b, c), (d, e, f) = placed.inverse
    # Pillow samples at pixel centers; only the corner of the region has to be added.
    data = (a, b, a * left + b * top + c, d, e, d * left + e * top + f)
    warped = mask.transform(
        (right - left, bottom - top), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR
    )
    return np.asarray(warped, np.float32) / np.float32(255)


def _blend(below: Mask, color: Mask, alpha: Mask) -> Mask:
    return below + (color - below) * alpha[..., None]


def _color(rng: np.random.Generator) -> Mask:
    if rng.random() < 0.35:
        gray = rng.choice([0, 10, 30, 235, 255, 255])
        return np.full(3, gray, np.float32)
    return rng.uniform(0, 255, 3).astype(np.float32)


def _readable(behind: Mask, rng: np.random.Generator) -> Mask:
    """Choose a color whose lightness differs from that of `behind`."""
    luma = np.array([0.3, 0.6, 0.1], np.float32)
    for _ in range(8):
        color = _color(rng)
        if abs(float((color - behind) @ luma)) > CONTRAST:
            return color
    return np.full(3, 255 if float(behind @ luma) < 128 else 0, np.float32)
