"""Where a picture matches, for any model: hide a part and see what is lost, show it alone and see
what is there.

Hiding is Zeiler and Fergus (2014, "Visualizing and Understanding Convolutional Networks", section
4.2), with soft windows of several sizes and a blurred picture behind them: a grey square would be
a thing of its own. It misses what the picture shows twice, and things whose surroundings give them
away; a crop of the window alone finds those, and what it takes for the thing by mistake, hiding
does not confirm.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter

from clipsearch.batching import batches
from clipsearch.explain.scoring import Relevance
from clipsearch.explain.windows import Map, Window, heat, windows
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, embed_images

SIDE = 320  # pixels of the longer side while parts are hidden; models see about as many
BLUR = 0.1  # of the longer side


def occlusion(image: Image.Image, relevance: Relevance, encoder: Encoder) -> Map:
    """How much each part of an upright RGB picture has of a text.

    (height, width) float32 of at most SIDE a side; higher is more, in no unit.
    """
    small = shrunk(image)
    groups = windows(*small.size)
    order = [window for group in groups for window in group]
    # All in one stream: full batches, and no more than one of them in memory.
    vectors = [embed_images(encoder, batch) for batch in batches(_views(small, order), BATCH)]
    scores = relevance(np.concatenate(vectors))
    hidden, alone = -scores[: len(order)], scores[len(order) :]
    shape = small.height, small.width
    total, start = np.zeros(shape, dtype=np.float32), 0
    for group in groups:
        part = slice(start, start + len(group))
        total += heat(shape, group, hidden[part]) + heat(shape, group, alone[part])
        start += len(group)
    return total


def shrunk(image: Image.Image) -> Image.Image:
    """The picture with a longer side of SIDE pixels at most."""
    factor = min(1.0, SIDE / max(image.size))
    width, height = (max(1, round(length * factor)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def _views(small: Image.Image, order: list[Window]) -> Iterator[Image.Image]:
    """The picture without each window, then each window without the picture."""
    blurred = small.filter(ImageFilter.GaussianBlur(BLUR * max(small.size)))
    for window in order:
        mask = np.asarray(window.mask(*small.size) * 255, dtype=np.uint8)
        yield Image.composite(blurred, small, Image.fromarray(mask))
    for window in order:
        yield small.crop(window.box(*small.size))
