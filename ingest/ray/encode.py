"""The stage with the model: images become rows."""

import time
from collections.abc import Iterator, Sequence

from clipsearch.errors import ZeroVectorError
from clipsearch.files.embed import ZERO_VECTOR
from clipsearch.models.embedding import encode_pixels
from clipsearch.types import Failure, ImageRow
from clipsearch.vectors import normalize
from ingest.ray.items import Embedded, Item, Loaded, Note
from ingest.ray.worker import Worker
from ingest.report import StageTime


def encode_images(worker: Worker, items: Sequence[Item]) -> Iterator[Item]:
    """Yield a row for each image, and all other items as they are."""
    yield from (item for item in items if not isinstance(item, Loaded))
    images = [item for item in items if isinstance(item, Loaded)]
    if not images:
        return
    encoder = worker.encoder
    started = time.monotonic()
    vectors = encode_pixels(encoder, [item.image.pixels for item in images])
    seconds = time.monotonic() - started
    for item, vector in zip(images, vectors, strict=True):
        try:
            row = ImageRow(item.image.record, normalize(vector))
        except ZeroVectorError:
            states = worker.changes.failures
            for file in item.files:
                yield Failure(file.file.path, ZERO_VECTOR, "invalid", states.state(file.file))
            continue
        yield Embedded(item.files, row, truncated=item.image.truncated)
    yield Note(stages={"encode": StageTime(len(images), seconds)})
