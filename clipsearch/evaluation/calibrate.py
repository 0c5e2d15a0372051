"""Calibrations for users' models: fitted to captioned images, or adapted without captions."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clipsearch.calibration import Calibration, find_calibration
from clipsearch.calibration.caption_queries import caption_queries
from clipsearch.calibration.collection_calibration import BUNDLED, load_bundled
from clipsearch.calibration.fit import (
    PROMPT,
    CaptionedVectors,
    adapt_calibration,
    fit_calibration,
)
from clipsearch.errors import ModelError, UsageError
from clipsearch.evaluation.captions import CaptionedImage
from clipsearch.evaluation.embeddings import embed_image_files, embed_text_list, warn_skipped
from clipsearch.evaluation.retrieval import find_captioned_files
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_texts
from clipsearch.store import Collection, filters
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

MIN_IMAGES = 200
MIN_QUERIES = 100
ENOUGH_IMAGES = 1_000  # of a fit to captions, so that its p can be trusted
MAX_IMAGES = 10_000  # of a fit: more take memory and hardly change it
ADAPTED_IMAGES = 3_000


def calibrate_on_captions(
    encoder: Encoder,
    captions: str | Path | Sequence[CaptionedImage],
    *,
    images: str | Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """Fit a calibration to captioned images that the model was not trained on.

    The arguments are those of `evaluate_retrieval`; of more than MAX_IMAGES images, a sample is
    used. Raises UsageError if the images are too few, or their captions say too little.
    """
    captions_of, missing = find_captioned_files(captions, images, split, limit)
    draw = np.random.default_rng(seed)
    files = list(captions_of)
    if len(files) > MAX_IMAGES:
        files = [files[at] for at in sorted(draw.choice(len(files), MAX_IMAGES, replace=False))]
    if progress is not None:
        progress.total = len(files)
    embedded = embed_image_files(files, encoder, progress)
    warn_skipped((*missing, *embedded.skipped), len(files) + len(missing))
    used = [captions_of[files[index]] for index in embedded.indices]
    data = embed_captions(encoder, embedded.vectors, used)
    if len(used) < ENOUGH_IMAGES:
        log.warning(
            "%s images are few for a calibration: p is often wrong with fewer than %s; `clipsearch "
            "calibrate --reset` removes it again",
            f"{len(used):,}",
            f"{ENOUGH_IMAGES:,}",
        )
    source = f"captions of {len(used):,} images"
    return fit_calibration(encoder.identity, data, source, seed=seed)


def embed_captions(
    encoder: Encoder, images: Vectors, captions: Sequence[Sequence[str]]
) -> CaptionedVectors:
    """Embed the captions of (n, d) images, and the words in them; raise UsageError if too few."""
    queries = caption_queries(captions)
    if len(images) < MIN_IMAGES or len(queries) < MIN_QUERIES:
        raise UsageError(
            f"{len(images):,} images with {len(queries):,} words that several captions share are "
            f"too few: a calibration needs {MIN_IMAGES:,} images and {MIN_QUERIES:,} such words"
        )
    return CaptionedVectors(
        images,
        embed_text_list([text for texts in captions for text in texts], encoder),
        np.repeat(np.arange(len(captions)), [len(texts) for texts in captions]),
        embed_text_list([query.text for query in queries], encoder),
        embed_text_list([PROMPT.format(query.text) for query in queries], encoder),
        queries,
    )


def calibrate_on_collection(encoder: Encoder, collection: Collection) -> Calibration:
    """Adapt the calibration of clipsearch to another model, by a sample of the collection.

    Raises UsageError if the collection is too small, ModelError if the package has no calibration.
    """
    bundled = load_bundled(BUNDLED)
    if bundled is None:
        raise ModelError("clipsearch has no calibration to adapt: install the package again")
    rows = collection.count()
    if rows < MIN_IMAGES:
        raise UsageError(
            f"the collection has {rows:,} images; a calibration without captions needs "
            f"{MIN_IMAGES:,}"
        )
    if bundled.model.is_comparable(encoder.identity):
        log.warning(
            "%s is calibrated by captions already, which is more exact: `clipsearch calibrate "
            "--reset` returns to that",
            encoder.identity.name,
        )
    sample = "" if rows <= ADAPTED_IMAGES else filters.random_share(ADAPTED_IMAGES / rows)
    images = np.stack([row.embedding for row in collection.scan_rows(sample)])
    texts = embed_texts(encoder, bundled.bank.words)
    source = f"{len(images):,} images without captions, adapted"
    return adapt_calibration(bundled, encoder.identity, texts, images, source)


def save_calibration(calibration: Calibration, collection: Collection) -> None:
    """Store a calibration for the model of the collection, for all users of the store."""
    collection.calibration.write(calibration.to_text())


def reset_calibration(collection: Collection) -> Calibration | None:
    """Remove the stored calibration; return that of the package, if the model has one.

    Raises UsageError if none is stored.
    """
    if collection.calibration.read() is None:
        raise UsageError(f"no calibration of {collection.info.model.name} is stored")
    collection.calibration.write(None)
    return find_calibration(collection)
