"""Picture files that no collection needs to hold: from paths to vectors, the bad ones reported."""

from collections.abc import Iterable, Iterator
from functools import partial

from clipsearch.batching import batches
from clipsearch.errors import ZeroVectorError
from clipsearch.files.discover import ImageFile
from clipsearch.files.load import LoadedImage, Rejected, hash_file, load
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.images.decode import MAX_PIXELS
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels
from clipsearch.types import Failure, ImageRow
from clipsearch.vectors import normalize


def embed_files(
    files: Iterable[ImageFile | Failure], encoder: Encoder, *, progress: Progress | None = None
) -> Iterator[ImageRow | Failure]:
    """Each file's row, or why it has none; in the order of the batches, failures first in each.

    Files are decoded in threads, as the encoder works. What is wrong with a file never stops the
    others.
    """
    step = partial(_load, encoder=encoder)
    with Pool() as pool:
        for batch in batches(ordered(pool, step, files, ahead=2 * BATCH), BATCH):
            yield from (item for item in batch if isinstance(item, Failure))
            yield from _encoded([item for item in batch if isinstance(item, LoadedImage)], encoder)
            if progress is not None:
                progress.update(len(batch))


def _encoded(batch: list[LoadedImage], encoder: Encoder) -> Iterator[ImageRow | Failure]:
    if not batch:
        return
    vectors = encode_pixels(encoder, [item.pixels for item in batch])
    for item, vector in zip(batch, vectors, strict=True):
        try:
            yield ImageRow(item.record, normalize(vector))
        except ZeroVectorError:
            yield Failure(item.record.path, "the model returned no direction for it")


def _load(found: ImageFile | Failure, *, encoder: Encoder) -> LoadedImage | Failure:
    if isinstance(found, Failure):
        return Failure(found.path, found.reason)
    item = hash_file(found)
    if isinstance(item, Rejected):
        return Failure(found.path, item.reason)
    loaded = load(item, encoder=encoder, max_pixels=MAX_PIXELS)
    return loaded if isinstance(loaded, LoadedImage) else Failure(found.path, loaded.reason)
