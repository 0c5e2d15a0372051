"""A probe from the collection's own pictures: text is drawn onto one half of a sample.

No data set is needed, and the pictures are those that the bias will be used on.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL.Image import Image

from clipsearch.batching import batches
from clipsearch.errors import ImageError
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, embed_images
from clipsearch.store import Collection
from clipsearch.store import filters as where
from clipsearch.textness.fit import (
    MIN_IMAGES,
    check_counts,
    detect_text,
    embed_image_files,
    embed_reference_queries,
    fit_vectors,
    load_resized,
    map_in_threads,
    working_side,
)
from clipsearch.textness.probe import TextnessProbe
from clipsearch.textness.synthetic_text import TextRenderer, draw_background
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

REFERENCE_ROWS = 5_000
"""Embeddings of the collection that tell what pictures differ in anyway: with fewer, a query for
pictures without text loses more of what it was about."""

IMAGES_PER_CLASS = 200
"""Pictures with text, and as many without: more gain less than a point of accuracy."""
LOOKED_AT = 20
"""Times as many rows are looked at where files are missing."""
ID_SPACE = 16**8


@dataclass(frozen=True, slots=True)
class FitSample:
    """Embeddings (n, d) and (m, d) of pictures with and without text; `drawn` of their n + m
    backgrounds are no pictures of the collection.
    """

    with_text: Vectors
    without_text: Vectors
    drawn: int


def fit_collection(
    encoder: Encoder,
    collection: Collection | None,
    *,
    per_class: int | None = None,
    renderer: TextRenderer | None = None,
    seed: int = 0,
) -> TextnessProbe:
    """A probe from a random sample of the collection, of which one half gets text drawn on it.

    `per_class` (default: `OF_EACH`) pictures are taken with text, and as many without. Files that are
    gone or broken are passed over, and drawn backgrounds stand in where there are too few;
    `collection` may be None. Pictures of the other half that a first probe takes for ones with text,
    since they have some, are dropped before the second one is fitted; so are they among the
    collection's embeddings that tell what ordinary pictures differ in. Raises UsageError on fewer
    than `FEWEST` of each, ModelError where the model sees no text.
    """
    per_class = IMAGES_PER_CLASS if per_class is None else per_class
    check_counts(per_class, per_class)
    paths = _paths(collection, 2 * per_class, seed) if collection else ()
    found = embed_sample(encoder, paths, renderer or TextRenderer(), per_class, seed=seed)
    if found.drawn:
        log.warning(
            "%d of the fit's %d pictures are drawn, since no more can be read: "
            "the bias is a rougher one; `clipsearch textness fit` makes it anew once there are more",
            found.drawn,
            2 * per_class,
        )
    usual = _embeddings(collection, REFERENCE_ROWS) if collection else None
    return fit_sample(encoder, found, usual, seed=seed)


def fit_images(
    encoder: Encoder,
    collection: Collection,
    with_text: Sequence[Image | Path],
    without_text: Sequence[Image | Path],
    *,
    seed: int = 0,
) -> TextnessProbe:
    """A probe from given pictures, as `fit`, better by what the collection's pictures differ in."""
    lettered, plain = (embed_image_files(encoder, kind) for kind in (with_text, without_text))
    check_counts(len(lettered), len(plain))
    usual = _embeddings(collection, REFERENCE_ROWS)
    _, with_own = detect_text(lettered, plain, usual, seed=seed)
    return fit_vectors(
        lettered,
        plain,
        encoder.identity,
        queries=embed_reference_queries(encoder),
        ordinary=np.concatenate([plain, usual[~with_own]]),
        seed=seed,
    )


def fit_sample(
    encoder: Encoder, found: FitSample, usual: Vectors | None = None, *, seed: int = 0
) -> TextnessProbe:
    """A probe from a sample, and `usual` pictures (k, d) of the same sort; see `fit_vectors`.

    Pictures that have text of their own are dropped from both.
    """
    others = found.without_text if usual is None else usual
    lettered, others_lettered = detect_text(found.with_text, found.without_text, others, seed=seed)
    clean, ordinary = found.without_text[~lettered], others[~others_lettered]
    if len(clean) < max(MIN_IMAGES, len(lettered) // 4):
        # Too few, or nearly all show text: what was drawn is all there is to go by.
        clean = found.without_text
    return fit_vectors(
        found.with_text,
        clean,
        encoder.identity,
        queries=embed_reference_queries(encoder),
        ordinary=ordinary if len(ordinary) > len(clean) else None,
        seed=seed,
    )


def embed_sample(
    encoder: Encoder,
    paths: Iterable[Path],
    renderer: TextRenderer,
    per_class: int,
    *,
    seed: int = 0,
) -> FitSample:
    """Embed twice `per_class` pictures, every second one with text drawn onto it.

    Files that cannot be read are passed over, and drawn backgrounds follow where they end.
    """
    drawn, side = 0, working_side(encoder)

    def backgrounds() -> Iterator[Image]:
        nonlocal drawn
        readable = map_in_threads(partial(_readable, side=side), paths)
        yield from (image for image in readable if image is not None)
        for number in count():
            drawn += 1
            yield draw_background(np.random.default_rng([seed, 1, number]), (side, 3 * side // 4))

    def written(numbered: tuple[int, Image]) -> Image:
        number, image = numbered
        if number % 2:
            return image
        seen = encoder.center_crop.box(*image.size)
        return renderer.render(image, np.random.default_rng([seed, 2, number]), within=seen)

    taken = enumerate(islice(backgrounds(), 2 * per_class))
    vectors = np.concatenate(
        [embed_images(encoder, batch) for batch in batches(map_in_threads(written, taken), BATCH)]
    )
    return FitSample(vectors[0::2], vectors[1::2], drawn)


def _paths(collection: Collection, needed: int, seed: int) -> Iterator[Path]:
    """Paths of the collection at random, each once, more than are needed."""
    paths = sorted(record.path for record in collection.scan(_some(collection, LOOKED_AT * needed)))
    order = np.random.default_rng([seed, 0]).permutation(len(paths))
    return (paths[number] for number in order)


def _embeddings(collection: Collection, wanted: int) -> Vectors:
    """About so many embeddings of the collection at random, (k, d)."""
    rows = islice(collection.scan_rows(_some(collection, wanted)), 2 * wanted)
    found = [row.embedding for row in rows]
    return np.stack(found) if found else np.empty((0, collection.info.model.dim), np.float32)


def _some(collection: Collection, wanted: int) -> str:
    """A filter for about so many rows at random: ids are hashes, so that a range of them will do."""
    rows = collection.count()
    return where.id_below(f"{int(ID_SPACE * wanted / rows):08x}") if rows > wanted else ""


def _readable(path: Path, side: int) -> Image | None:
    try:
        return load_resized(path, side)
    except ImageError:  # gone, or damaged since
        return None
