"""The process to kill: runs one writing operation on a store and announces each of its writes.

`python -m tests.torture.victim STORE FOLDER OPERATION` prints the id of Milvus Lite's process, the
name of each call that writes just before it is made, and `done N` after the N-th round of tags.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipsearch.files.discover import FileSource
from clipsearch.store import Collection, Store, local_store
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.milvus_lite import NativeServer
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.removal import remove_images
from tests.helpers.fakes import ColorEncoder

NAME = "images"
WRITES = ("create", "upsert", "delete", "drop")
ROUNDS = 20
"""Rounds of tags or probes, unless the process is killed before."""


def run(operation: str, store: Store, folder: Path) -> None:
    """Run an operation on the collection NAME."""
    images = store.collection(NAME)
    encoder = ColorEncoder()
    match operation:
        case "tag":
            for number in range(ROUNDS):
                tag(images, number)
                print("done", number, flush=True)
        case "textness":
            for number in range(ROUNDS):
                images.set_textness({"number": number})
                print("done", number, flush=True)
        case "remove":
            remove_images(images, [folder / "removed"])
        case "drop":
            store.drop(NAME)
            update(store.create(NAME, encoder.identity), folder, encoder)
        case _:
            update(images, folder, encoder)


def update(images: Collection, folder: Path, encoder: ColorEncoder) -> None:
    """Ingest a folder, and prune what it has no more."""
    ingest(FileSource([folder]), images, encoder, IngestOptions(prune=True, force=True))


def tag(images: Collection, number: int) -> None:
    """Write every row again, with one tag."""
    rows = [
        replace(row, record=replace(row.record, tags=(f"t{number}",))) for row in images.scan_rows()
    ]
    images.upsert(rows)
    images.finish_writes()


def announce(method: str) -> None:
    """Let a writing method of the backend print its name before it starts."""
    write: Callable[..., Any] = getattr(MilvusBackend, method)

    @functools.wraps(write)
    def announced(*arguments: Any, **options: Any) -> Any:
        print(method, flush=True)
        return write(*arguments, **options)

    setattr(MilvusBackend, method, announced)


def main(path: Path, folder: Path, operation: str) -> None:
    """Open the store, print the process id of its Milvus Lite, and run the operation."""
    with Store.open(path) as store:
        server = local_store._servers[path.resolve()]
        assert isinstance(server, NativeServer)
        print(server._processes[-1].pid, flush=True)
        for method in WRITES:
            announce(method)
        run(operation, store, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
