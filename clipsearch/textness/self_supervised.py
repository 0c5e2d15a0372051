"""A textness probe without labels: text is drawn onto half of a sample of the collection.

No dataset is needed, and the probe is fitted to the images that it will be used on.
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
from clipsearch.store import Collection, filters
from clipsearch.textness.backgrounds import draw_background
from clipsearch.textness.fit import (
    MIN_IMAGES,
    check_counts,
    detect_text,
    embed_reference_queries,
    fit_vectors,
)
from clipsearch.textness.image_loading import (
    embed_image_files,
    load_resized,
    map_in_threads,
    working_side,
)
from clipsearch.textness.probe import TextnessFit
from clipsearch.textness.synthetic_text import TextRenderer
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

REFERENCE_ROWS = 5_000
"""Embeddings of the collection that show how images vary in general: with fewer, a query for images
without text loses more of its meaning."""

IMAGES_PER_CLASS = 200
"""Images with text, and as many without: more improve the accuracy by less than a point."""

OVERSAMPLING = 20
"""How many times more rows than needed are sampled, in case files are missing."""


@dataclass(frozen=True, slots=True)
class FitSample:
    """Embeddings (n, d) and (m, d) of images with and without text.

    `synthetic` of the n + m backgrounds are drawn ones instead of images of the collection.
    """

    with_text: Vectors
    without_text: Vectors
    synthetic: int


def fit_collection(
    encoder: Encoder,
    collection: Collection | None,
    *,
    per_class: int | None = None,
    renderer: TextRenderer | None = None,
    seed: int = 0,
) -> TextnessFit:
    """Fit a probe to a random sample of the collection, with text drawn onto half of it.

    The sample has `per_class` (default: `IMAGES_PER_CLASS`) images with text and as many without.
    Missing and damaged files are skipped, and synthetic backgrounds fill the sample; `collection`
    may be None. Images of the other half in which a first probe detects text are dropped before the
    second one is fitted; so are those among the reference embeddings of the collection. Raises
    UsageError if `per_class` is below `MIN_IMAGES`, ModelError if the model does not recognize
    text.
    """
    per_class = IMAGES_PER_CLASS if per_class is None else per_class
    check_counts(per_class, per_class)
    paths = _random_paths(collection, 2 * per_class, seed) if collection else ()
    sample = embed_sample(encoder, paths, renderer or TextRenderer(), per_class, seed=seed)
    if sample.synthetic:
        log.warning(
            "only %d images of the collection could be read, and the textness fit needs %d: it "
            "used drawn backgrounds for the rest and is less accurate; ingest more images, then "
            "run `clipsearch textness fit`",
            2 * per_class - sample.synthetic,
            2 * per_class,
        )
    reference = _random_embeddings(collection, REFERENCE_ROWS) if collection else None
    return fit_sample(encoder, sample, reference, seed=seed)


def fit_images(
    encoder: Encoder,
    collection: Collection,
    with_text: Sequence[Image | Path],
    without_text: Sequence[Image | Path],
    *,
    seed: int = 0,
) -> TextnessFit:
    """Fit a probe to given images, with embeddings of the collection as reference."""
    lettered, plain = (embed_image_files(encoder, images) for images in (with_text, without_text))
    check_counts(len(lettered), len(plain))
    reference = _random_embeddings(collection, REFERENCE_ROWS)
    _, has_text = detect_text(lettered, plain, reference, seed=seed)
    probe = fit_vectors(
        lettered,
        plain,
        encoder.identity,
        queries=embed_reference_queries(encoder),
        reference=np.concatenate([plain, reference[~has_text]]),
        seed=seed,
    )
    return TextnessFit(probe, lettered, plain)


def fit_sample(
    encoder: Encoder, sample: FitSample, reference: Vectors | None = None, *, seed: int = 0
) -> TextnessFit:
    """Fit a probe to a sample, with `reference` images (k, d) of the same kind.

    See `fit_vectors`. Images that have text of their own are dropped from both.
    """
    others = sample.without_text if reference is None else reference
    has_text, others_have_text = detect_text(
        sample.with_text, sample.without_text, others, seed=seed
    )
    plain, plain_others = sample.without_text[~has_text], others[~others_have_text]
    if len(plain) < max(MIN_IMAGES, len(has_text) // 4):
        # Nearly all images show text: only the drawn text distinguishes the two halves.
        plain = sample.without_text
    probe = fit_vectors(
        sample.with_text,
        plain,
        encoder.identity,
        queries=embed_reference_queries(encoder),
        reference=plain_others if len(plain_others) > len(plain) else None,
        seed=seed,
    )
    return TextnessFit(probe, sample.with_text, plain)


def embed_sample(
    encoder: Encoder,
    paths: Iterable[Path],
    renderer: TextRenderer,
    per_class: int,
    *,
    seed: int = 0,
) -> FitSample:
    """Embed twice `per_class` images, every second one with text drawn onto it.

    Files that cannot be read are skipped; synthetic backgrounds follow when the paths run out.
    """
    synthetic, side = 0, working_side(encoder)

    def backgrounds() -> Iterator[Image]:
        nonlocal synthetic
        loaded = map_in_threads(partial(_load_or_none, side=side), paths)
        yield from (image for image in loaded if image is not None)
        for number in count():
            synthetic += 1
            yield draw_background(np.random.default_rng([seed, 1, number]), (side, 3 * side // 4))

    def draw_text(numbered: tuple[int, Image]) -> Image:
        number, image = numbered
        if number % 2:
            return image
        visible = encoder.center_crop.box(*image.size)
        return renderer.render(image, np.random.default_rng([seed, 2, number]), within=visible)

    numbered = enumerate(islice(backgrounds(), 2 * per_class))
    vectors = np.concatenate(
        [
            embed_images(encoder, batch)
            for batch in batches(map_in_threads(draw_text, numbered), BATCH)
        ]
    )
    return FitSample(vectors[0::2], vectors[1::2], synthetic)


def _random_paths(collection: Collection, needed: int, seed: int) -> Iterator[Path]:
    """Paths of the collection in random order, each once, more than needed."""
    sample = _random_filter(collection, OVERSAMPLING * needed)
    paths = sorted(record.path for record in collection.scan(sample))
    order = np.random.default_rng([seed, 0]).permutation(len(paths))
    return (paths[number] for number in order)


def _random_embeddings(collection: Collection, needed: int) -> Vectors:
    """About `needed` random embeddings of the collection, (k, d)."""
    rows = islice(collection.scan_rows(_random_filter(collection, needed)), 2 * needed)
    embeddings = [row.embedding for row in rows]
    if not embeddings:
        return np.empty((0, collection.info.model.dim), np.float32)
    return np.stack(embeddings)


def _random_filter(collection: Collection, needed: int) -> str:
    """A filter for about `needed` random rows."""
    rows = collection.count()
    return filters.random_share(needed / rows) if rows > needed else ""


def _load_or_none(path: Path, side: int) -> Image | None:
    try:
        return load_resized(path, side)
    except ImageError:  # deleted or damaged since it was ingested
        return None
