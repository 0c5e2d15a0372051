"""Picture files that no collection needs to hold: from paths to vectors, the bad ones reported."""

from collections.abc import Iterable, Iterator
from functools import partial

from clipsearch.batches import batches
from clipsearch.embed import BATCH, encode_pixels
from clipsearch.errors import ZeroVectorError
from clipsearch.images import MAX_PIXELS
from clipsearch.models.base import Encoder
from clipsearch.store import Failure
from clipsearch.types import ImageRow
from clipsearch.vectors import normalize
from ingest.changes import Progress
from ingest.files import Found
from ingest.steps import Loaded, Rejected, identify, load
from ingest.walk import Problem
from ingest.workers import Pool, ordered


def embed_files(
    files: Iterable[Found | Problem], encoder: Encoder, *, progress: Progress | None = None
) -> Iterator[ImageRow | Failure]:
    """Each file's row, or why it has none; in the order of the batches, failures first in each.

    Files are decoded in threads, as the encoder works. What is wrong with a file never stops the
    others.
    """
    step = partial(_load, encoder=encoder)
    with Pool() as pool:
        for batch in batches(ordered(pool, step, files, ahead=2 * BATCH), BATCH):
            yield from (item for item in batch if isinstance(item, Failure))
            yield from _encoded([item for item in batch if isinstance(item, Loaded)], encoder)
            if progress is not None:
                progress.update(len(batch))


def _encoded(batch: list[Loaded], encoder: Encoder) -> Iterator[ImageRow | Failure]:
    if not batch:
        return
    vectors = encode_pixels(encoder, [item.pixels for item in batch])
    for item, vector in zip(batch, vectors, strict=True):
        try:
            yield ImageRow(item.photo, normalize(vector))
        except ZeroVectorError:
            yield Failure(item.photo.path, "the model returned no direction for it")


def _load(found: Found | Problem, *, encoder: Encoder) -> Loaded | Failure:
    if isinstance(found, Problem):
        return Failure(found.path, found.reason)
    item = identify(found)
    if isinstance(item, Rejected):
        return Failure(found.path, item.reason)
    loaded = load(item, encoder=encoder, max_pixels=MAX_PIXELS)
    return loaded if isinstance(loaded, Loaded) else Failure(found.path, loaded.reason)
