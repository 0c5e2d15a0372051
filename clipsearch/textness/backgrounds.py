"""Synthetic images without text, used as backgrounds when real images are missing."""

import numpy as np
from PIL import Image, ImageDraw


def draw_background(rng: np.random.Generator, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A random RGB image without text: a color gradient with shapes and grain."""
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    image = Image.fromarray(corners, "RGB").resize(size, Image.Resampling.BICUBIC)
    for _ in range(rng.integers(1, 12)):
        _draw_shape(ImageDraw.Draw(image), rng, size)
    grain = rng.normal(0, rng.uniform(0, 18), (size[1], size[0], 1))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8), "RGB")


def _draw_shape(
    canvas: ImageDraw.ImageDraw, rng: np.random.Generator, size: tuple[int, int]
) -> None:
    x, y = rng.random(2) * size
    width, height = rng.uniform(0.05, 0.5, 2) * size
    frame = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    kind = rng.integers(4)
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    color = (red, green, blue)
    if kind == 0:
        canvas.ellipse(frame, fill=color)
    elif kind == 1:
        canvas.rectangle(frame, fill=color)
    elif kind == 2:
        canvas.line(frame, fill=color, width=int(rng.integers(1, 12)))
    else:
        points = rng.random((int(rng.integers(3, 7)), 2)) * (width, height) + frame[:2]
        canvas.polygon([(float(a), float(b)) for a, b in points], fill=color)
