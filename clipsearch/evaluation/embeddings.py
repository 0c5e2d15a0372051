"""The image and text embeddings of an evaluation, made as an ingestion makes them."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.discover import ImageFile
from clipsearch.files.embed import embed_files
from clipsearch.files.progress import Progress
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, embed_texts
from clipsearch.models.runtime import Runtime
from clipsearch.types import Failure, Vectors

log = logging.getLogger("clipsearch")

SHOWN_FAILURES = 3
"""Files that a message names; it only counts the others."""


@dataclass(frozen=True, slots=True)
class EmbeddedImages:
    """Images as (n, d) float32 of length 1; `indices` (n,) are their places in the given list."""

    vectors: Vectors
    indices: NDArray[np.intp]
    skipped: tuple[Failure, ...]


def load_encoder(model: str | Encoder, *, runtime: Runtime | None = None) -> Encoder:
    """Load a model by name; an encoder is returned as it is."""
    return registry.load(model, runtime) if isinstance(model, str) else model


def embed_image_files(
    paths: Sequence[Path], encoder: Encoder, progress: Progress | None = None
) -> EmbeddedImages:
    """Embed image files in order; files that cannot be read or embedded are skipped.

    Memory holds the vectors and two batches of images, however many files there are. Raises
    UsageError if no image is left.
    """
    vectors: list[Vectors] = []
    indices: list[int] = []
    skipped: list[Failure] = []
    index_of = {path: index for index, path in enumerate(paths)}
    for result in embed_files(_stat_files(index_of), encoder, progress=progress):
        if isinstance(result, Failure):
            skipped.append(result)
        else:
            vectors.append(result.embedding)
            indices.append(index_of[result.record.path])
    if not vectors:
        raise UsageError(
            f"none of the {len(paths):,} images can be used: {describe_failures(skipped)}"
        )
    return EmbeddedImages(np.stack(vectors), np.array(indices, dtype=np.intp), tuple(skipped))


def embed_text_list(
    texts: Sequence[str], encoder: Encoder, progress: Progress | None = None
) -> Vectors:
    """Embed texts in order as (n, d) float32 of length 1, and report progress."""
    parts = []
    for batch in batches(texts, BATCH):
        parts.append(embed_texts(encoder, batch))
        if progress is not None:
            progress.update(len(batch))
    return np.concatenate(parts) if parts else embed_texts(encoder, [])


def warn_skipped(skipped: Sequence[Failure], total: int) -> None:
    """Log how many of `total` images are skipped, and why; nothing if there are none."""
    if skipped:
        log.warning(
            "%s of %s images are skipped: %s",
            f"{len(skipped):,}",
            f"{total:,}",
            describe_failures(skipped),
        )


def describe_failures(failures: Sequence[Failure]) -> str:
    """Name the first few failures with their reasons, and count the others."""
    shown = ", ".join(
        escape_control(f"{failure.path} ({failure.reason})")
        for failure in failures[:SHOWN_FAILURES]
    )
    more = len(failures) - SHOWN_FAILURES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _stat_files(paths: Iterable[Path]) -> Iterator[ImageFile | Failure]:
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            yield Failure(path, (error.strerror or str(error)).lower())
        else:
            yield ImageFile.of(path, status)
