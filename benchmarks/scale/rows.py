"""Rows of a synthetic collection: clustered vectors, paths of real files, tags."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clipsearch.images.hashing import image_id
from clipsearch.records import ImageRecord
from clipsearch.types import ImageRow, Vectors

CENTERS = 2_000
NOISE = 0.6
"""Length of the noise around a center, whose length is 1: neighbors have a cosine of 0.74."""

FOLDER_FILES = 500
LINKS = 10_000
"""Links to one file; ext4 allows 65,000."""

TAGGED = 10
"""One image in so many has tags."""

COPIES = 100
"""One image in so many is a near-duplicate of the one before it."""


def clustered(count: int, dim: int, seed: int) -> Vectors:
    """Random (count, dim) float32 of length 1, around centers that are always the same."""
    centers = _unit(np.random.default_rng(0).standard_normal((CENTERS, dim), dtype=np.float32))
    random = np.random.default_rng(seed)
    noise = random.standard_normal((count, dim), dtype=np.float32)
    return _unit(noise * np.float32(NOISE / dim**0.5) + centers[random.integers(0, CENTERS, count)])


def make_rows(folder: Path, start: int, count: int, dim: int) -> Iterator[ImageRow]:
    """Yield the rows `start` to `start + count`; their files are links to a few empty files."""
    vectors = clustered(count, dim, seed=1 + start)
    for number, vector in enumerate(vectors, start):
        if number % COPIES == COPIES - 1 and number > start:
            vector = _unit(vectors[number - start - 1] + np.float32(0.02 / dim**0.5))
        path = folder / f"{number // FOLDER_FILES:05}" / f"{number:08}.jpg"
        path.parent.mkdir(exist_ok=True)
        original = folder / f"original-{number // LINKS}"
        if not path.exists():
            if not original.exists():
                original.touch()
            os.link(original, path)
        status = path.stat()
        yield ImageRow(
            ImageRecord(
                image_id(path),
                path,
                f"{number:032x}",
                status.st_size,
                status.st_mtime_ns,
                4_000,
                3_000,
                "jpeg",
                None,
                tags=(f"label {number % 50}", "outdoors") if number % TAGGED == 0 else (),
            ),
            vector,
        )


def _unit(vectors: Vectors) -> Vectors:
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled
