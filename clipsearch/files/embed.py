"""From image files to embeddings without a collection; unusable files become Failures."""

from collections.abc import Iterable, Iterator
from functools import partial

from clipsearch.batching import batches
from clipsearch.errors import ZeroVectorError
from clipsearch.files.discover import ImageFile
from clipsearch.files.load import LoadedImage, hash_file, load_image
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels, make_room_for_decoding
from clipsearch.types import Failure, ImageRow
from clipsearch.vectors import normalize

ZERO_VECTOR = "the model returned a zero or non-finite vector"


def embed_files(
    files: Iterable[ImageFile | Failure], encoder: Encoder, *, progress: Progress | None = None
) -> Iterator[ImageRow | Failure]:
    """Yield each file's row or Failure, batch by batch; in each batch the failures come first.

    Files are decoded in threads while the encoder works. A file that fails never stops the others.
    """
    step = partial(_load, encoder=encoder)
    make_room_for_decoding(encoder)
    with Pool() as pool:
        for batch in batches(ordered(pool, step, files, ahead=2 * BATCH), BATCH):
            yield from (item for item in batch if isinstance(item, Failure))
            yield from _encode([item for item in batch if isinstance(item, LoadedImage)], encoder)
            if progress is not None:
                progress.update(len(batch))


def _load(file: ImageFile | Failure, *, encoder: Encoder) -> LoadedImage | Failure:
    if isinstance(file, Failure):
        return file
    hashed = hash_file(file)
    if isinstance(hashed, Failure):
        return hashed
    return load_image(hashed, encoder=encoder)


def _encode(images: list[LoadedImage], encoder: Encoder) -> Iterator[ImageRow | Failure]:
    if not images:
        return
    vectors = encode_pixels(encoder, [image.pixels for image in images])
    for image, vector in zip(images, vectors, strict=True):
        try:
            yield ImageRow(image.record, normalize(vector))
        except ZeroVectorError:
            yield Failure(image.record.path, ZERO_VECTOR, "invalid")
