"""Class matrices on disk: a thousand labels in 80 contexts are 80,000 texts to embed."""

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clipsearch import config
from clipsearch.models.base import ModelIdentity
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

VERSION = 1
"""Of the files and of how they are computed; another one is computed again."""


def folder() -> Path:
    """Where they lie: among what may be deleted at any time."""
    return config.cache_folder() / "classes"


def key(model: ModelIdentity, labels: Sequence[str], templates: Sequence[str]) -> str:
    """The name of a matrix: all that it depends on, as 32 hex digits.

    The preprocessing is a part of it because it tells the activation, which the weights don't.
    """
    parts = (VERSION, model.dim, model.weights, model.preprocessing, labels, templates)
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def load(name: str, shape: tuple[int, int]) -> tuple[Vectors, float] | None:
    """A matrix, (k, d) float32 of length 1, and the scale; None where it is not there or damaged."""
    path = folder() / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            vectors, scale = stored["vectors"], float(stored["scale"])
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if vectors.shape != shape or vectors.dtype != np.float32 or not 0 < scale < float("inf"):
        return None
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):  # NaN neither
        return None
    return vectors, scale


def save(name: str, vectors: Vectors, scale: float) -> None:
    """Write a matrix, whole or not at all; where that fails it is computed again next time."""
    temporary = None
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder(), suffix=".part", delete=False) as file:
            temporary = file.name
            np.savez(file, vectors=vectors, scale=np.float64(scale))
        os.replace(temporary, folder() / f"{name}.npz")  # noqa: PTH105 - one move, atomic
    except OSError as error:
        log.info("labels are not cached in %s: %s", folder(), error.strerror or error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
