"""The calibration of a collection's model, stored or part of the package, and its use for hits."""

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from clipsearch.batching import batches
from clipsearch.calibration.calibration import Calibration, CalibrationFormatError
from clipsearch.models.pocket import encoder as pocket_encoder
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

BUNDLED = pocket_encoder.WEIGHTS / "calibration.npz"
BATCH_ROWS = 2_048  # hits whose vectors are read at once


def find_calibration(collection: Collection) -> Calibration | None:
    """The calibration stored for the collection's model, else the bundled one, else None."""
    model = collection.info.model
    text = collection.calibration.read()
    found = None if text is None else _parse(text)
    if found is None and model.name == "pocket":
        found = load_bundled(BUNDLED)
    return found if found is not None and found.model.is_comparable(model) else None


@lru_cache(maxsize=2)
def load_bundled(path: Path) -> Calibration | None:
    """The calibration in the package, or None with a warning if it cannot be used."""
    try:
        return Calibration.load(path)
    except FileNotFoundError:
        return None
    except (CalibrationFormatError, OSError) as error:
        log.warning("%s: %s", path, error)
        return None


def hit_probabilities(
    calibration: Calibration,
    collection: Collection,
    queries: Vectors,
    results: Sequence[Sequence[Hit]],
    samples: Sequence[Vectors],
    embeddings: Mapping[str, Vectors],
) -> list[list[float | None]]:
    """The probability that each hit of each of (q, d) queries is relevant.

    `samples` are the cosines of each query for a sample of the collection. Hits whose embeddings
    are not given by their ids are read; one that was deleted since the search has no probability.
    """
    vectors = dict(embeddings)
    unknown = {hit.id for hits in results for hit in hits}.difference(vectors)
    for batch in batches(sorted(unknown), BATCH_ROWS):
        vectors |= collection.vectors(batch)
    probabilities = []
    for query, hits, sample in zip(queries, results, samples, strict=True):
        known = [hit.id for hit in hits if hit.id in vectors]
        images = (
            np.stack([vectors[id_] for id_ in known])
            if known
            else np.zeros((0, len(query)), np.float32)
        )
        values = dict(zip(known, calibration.probabilities(query, images, sample), strict=True))
        probabilities.append([float(values[hit.id]) if hit.id in values else None for hit in hits])
    return probabilities


@lru_cache(maxsize=4)
def _parse(text: str) -> Calibration | None:
    try:
        return Calibration.from_text(text)
    except CalibrationFormatError as error:
        log.warning("the calibration in this store is not used: %s", error)
        return None
