"""Images on which an int8 conversion is calibrated and checked, real or drawn."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SampleImages: TypeAlias = Callable[[int], "Sequence[Image]"]
"""Returns at most so many upright RGB images of the user, spread over the collection."""

SIDE = 320
"""Width and height of drawn images in pixels."""


def calibration_images(count: int, sample: SampleImages | None = None) -> "list[Image]":
    """Return `count` upright RGB images: as many from `sample` as it has, the others drawn.

    The two kinds are spread evenly, so that every part of the list holds both.
    """
    real = list(sample(count)) if sample else []
    drawn = draw_images(count - len(real))
    positions = np.linspace(0, 1, len(real), endpoint=False).tolist()
    positions += np.linspace(0, 1, len(drawn), endpoint=False).tolist()
    images = [*real, *drawn]
    return [images[index] for index in np.argsort(positions, kind="stable")]


def draw_images(count: int) -> "list[Image]":
    """Draw `count` different RGB images, the same in every process.

    They cover what images have in common: smooth and sharp areas, objects with edges, noise, high
    and low contrast, black-and-white. With random weights, activations calibrated on them gave
    vectors of real images with a cosine of 0.9995; smooth noise alone gave 0.995.
    """
    from PIL import Image, ImageDraw

    random = np.random.default_rng(0)
    images = []
    for _ in range(count):
        grid = int(random.integers(1, 24))
        colors = random.integers(0, 256, (grid, grid, 3), dtype=np.uint8)
        resampling = random.choice([0, 2, 3])  # squares, linear and cubic gradients
        canvas = Image.fromarray(colors).resize((SIDE, SIDE), Image.Resampling(resampling))
        pen = ImageDraw.Draw(canvas)
        for _ in range(random.integers(0, 20)):
            x, y, width, height = random.integers(0, (SIDE, SIDE, SIDE // 2, SIDE // 2)).tolist()
            box, color = (x, y, x + width, y + height), tuple(random.integers(0, 256, 3).tolist())
            match random.integers(3):
                case 0:
                    pen.rectangle(box, fill=color)
                case 1:
                    pen.ellipse(box, fill=color)
                case _:
                    pen.line(box, fill=color, width=int(random.integers(1, 12)))
        levels = np.asarray(canvas, np.float32) / 255
        levels = levels ** random.choice([0.4, 0.7, 1, 1.5, 2.5])
        levels += random.normal(0, random.choice([0, 0.01, 0.03, 0.1]), levels.shape)
        if random.random() < 0.2:
            levels[:] = levels.mean(axis=2, keepdims=True)
        images.append(Image.fromarray(np.uint8(255 * np.clip(levels, 0, 1))))
    return images
