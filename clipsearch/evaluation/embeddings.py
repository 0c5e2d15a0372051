"""The pictures and texts of an evaluation as vectors, through the product's own pipeline."""

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

NAMED = 3  # files that a message names before it only counts


@dataclass(frozen=True, slots=True)
class EmbeddedImages:
    """Files as (n, d) float32 of length 1; `kept` (n,) are their places in the list asked for."""

    vectors: Vectors
    kept: NDArray[np.intp]
    skipped: tuple[Failure, ...]


def encoder_of(model: str | Encoder, *, runtime: Runtime | None = None) -> Encoder:
    """A model by name, or the given one."""
    return registry.load(model, runtime) if isinstance(model, str) else model


def embed_image_files(
    paths: Sequence[Path], encoder: Encoder, progress: Progress | None = None
) -> EmbeddedImages:
    """Embed picture files in order; those that cannot be read or embedded are skipped, with reasons.

    Memory holds the vectors and two batches of pictures, however many files there are. Raises
    UsageError where none is left.
    """
    vectors: list[Vectors] = []
    kept: list[int] = []
    skipped: list[Failure] = []
    places = {path: number for number, path in enumerate(paths)}
    for item in embed_files(_found(places), encoder, progress=progress):
        if isinstance(item, Failure):
            skipped.append(Failure(item.path, item.reason))
        else:
            vectors.append(item.embedding)
            kept.append(places[item.record.path])
    if not vectors:
        raise UsageError(f"none of the {len(paths):,} pictures can be used: {named(skipped)}")
    return EmbeddedImages(np.stack(vectors), np.array(kept, dtype=np.intp), tuple(skipped))


def embed_lines(
    texts: Sequence[str], encoder: Encoder, progress: Progress | None = None
) -> Vectors:
    """Embed texts as (n, d) float32 of length 1, in order, telling how far it is."""
    parts = []
    for batch in batches(texts, BATCH):
        parts.append(embed_texts(encoder, batch))
        if progress is not None:
            progress.update(len(batch))
    return np.concatenate(parts) if parts else embed_texts(encoder, [])


def named(skipped: Sequence[Failure]) -> str:
    """The first few of them with their reasons, and how many more."""
    shown = ", ".join(escape_control(f"{one.path} ({one.reason})") for one in skipped[:NAMED])
    more = len(skipped) - NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _found(paths: Iterable[Path]) -> Iterator[ImageFile | Failure]:
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            yield Failure(path, (error.strerror or str(error)).lower())
        else:
            yield ImageFile(path, status.st_size, status.st_mtime_ns)
