"""Transparent images on an opaque ground."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIP = 1 << 20
"""Pixels that are blended at a time: a whole transparent image would need four times its memory."""

_SAMPLED = 1 << 20
"""Of more pixels, a regular sample decides about the ground."""

_NEAR = 64
"""Parts whose luminance is closer to the ground's, of 256 levels, are taken as lost."""

_GROUNDS = ((255, 0.0), (0, 0.2), (128, 0.25))
"""Luminance of the grounds, white first, and the share of a drawing that white must lose more than
the other one. Models know objects on white best; gray is for drawings in black and white."""

_UNUSED_ALPHA = ("BMP", "DIB", "ICO", "TGA")
"""In these formats, many programs leave the alpha channel zero."""


def blend(image: Image.Image) -> Image.Image:
    """Return a transparent image of any mode in mode L or RGB, on the ground that shows most of it.

    Opaque pixels do not change.
    """
    gray = image.mode in ("1", "L", "LA", "La")
    opaque, clear = ("L", "LA") if gray else ("RGB", "RGBA")
    if image.mode in ("LA", "RGBA"):
        low, high = image.getchannel("A").getextrema()
        if low == 255 or (high == 0 and image.format in _UNUSED_ALPHA):
            return image.convert(opaque)
    weights = np.zeros(256)
    for part, _ in _strips(image, clear):
        weights += _visible(part.convert("LA"), step=1 + image.width * image.height // _SAMPLED)
    if not weights.any():  # perhaps a drawing that is too fine for the sample
        for part, _ in _strips(image, clear):
            weights += _visible(part.convert("LA"), step=1)
    ground = choose_ground(weights)
    canvas = Image.new(opaque, image.size, ground if gray else (ground,) * 3)
    for part, top in _strips(image, clear):
        canvas.paste(part.convert(opaque), (0, top), part.getchannel("A"))
    return canvas


def choose_ground(weights: NDArray[np.float64]) -> int:
    """Return the luminance of the ground for a drawing, by its histogram (256,) of luminance."""
    levels, total = np.arange(256), weights.sum() or 1.0

    def cost(ground: tuple[int, float]) -> float:
        lost = weights[np.abs(levels - ground[0]) < _NEAR].sum() / total
        return float(lost) + ground[1]

    return min(_GROUNDS, key=cost)[0]


def _strips(image: Image.Image, mode: str) -> Iterator[tuple[Image.Image, int]]:
    """Yield parts of an image in a mode, and their upper edges."""
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        bottom = min(image.height, top + rows)
        yield image.crop((0, top, image.width, bottom)).convert(mode), top


def _visible(part: Image.Image, *, step: int) -> NDArray[np.float64]:
    """The histogram (256,) of luminance, weighted by alpha, of every `step`-th pixel."""
    values = np.asarray(part).reshape(-1, 2)[::step]
    return np.bincount(values[:, 0], values[:, 1], minlength=256).astype(np.float64)
