"""A process that uses a server: ingests a folder with a fake model, and announces its writes.

`python -m tests.torture.server_child URI COLLECTION WEIGHTS START WRITE FOLDER…` waits until the
Unix time START, writes after every WRITE images, prints `upsert` before each write, and at last
`stored N`, or `error CLASS: MESSAGE`.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clipsearch import Index
from clipsearch.errors import ClipsearchError
from clipsearch.startup import import_pymilvus
from clipsearch.store.milvus import MilvusBackend
from clipsearch.types import Pixels, Vectors
from ingest import pipeline
from tests.helpers.fakes import ColorEncoder
from tests.torture.victim import announce

STEP_SECONDS = 0.05
"""What the fake model takes for an image, so that an ingestion lasts a few seconds."""


class SlowEncoder(ColorEncoder):
    """A ColorEncoder that takes its time."""

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        time.sleep(STEP_SECONDS * len(pixels))
        return super().encode_images(pixels)


def main(uri: str, name: str, weights: str, start: str, write: str, *folders: str) -> None:
    pipeline.WRITE = int(write)
    announce(MilvusBackend, "upsert", lambda _, target, *__: f"upsert {target}")
    import_pymilvus()
    encoder = SlowEncoder(weights, "color")
    time.sleep(max(0.0, float(start) - time.time()))
    try:
        with Index.open(uri, collection=name, model=encoder, daemon=False) as index:
            report = index.ingest(*map(Path, folders))
    except ClipsearchError as error:
        print(f"error {type(error).__name__}: {error}", flush=True)
    else:
        print("failed" if report.failed else "stored", report.stored, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
