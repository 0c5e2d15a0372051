"""The process to kill: runs one writing operation on a store and announces each of its writes.

`python -m tests.torture.victim STORE FOLDER OPERATION` prints `lite N` with the id of each process
of Milvus Lite that it starts, the name of each call that writes just before it is made, and
`done N` after the N-th round of tags.
"""

import functools
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipsearch.daemon.remote_backend import WRITES as REMOTE
from clipsearch.daemon.remote_backend import RemoteBackend
from clipsearch.errors import StoreError
from clipsearch.files.discover import FileSource
from clipsearch.session import open_store
from clipsearch.store import Collection
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.milvus_lite import native_server
from clipsearch.store.milvus_lite.check import LiteCheck
from clipsearch.store.milvus_lite.lock import FileLock
from ingest.check import check
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.removal import remove_images
from tests.helpers.fakes import ColorEncoder

NAME = "images"
WRITES = {
    MilvusBackend: ("create", "upsert", "delete", "drop"),
    LiteCheck: ("delete_rows",),
}
ROUNDS = 20
"""Rounds of tags or probes, unless the process is killed before."""

PATIENCE = 30.0


def run(operation: str, path: Path, folder: Path) -> None:
    """Run an operation on the collection NAME of a store, through its daemon if there is one."""
    encoder = ColorEncoder()
    if operation == "retag":
        for number in range(ROUNDS):
            tag_patiently(path, number)
        return
    if operation == "repair":
        with open_store(path, single_query=True) as store:
            for _ in check(store, lambda _: lambda: encoder, repair=True):
                pass
        return
    with open_store(path) as store:
        match operation:
            case "tag":
                for number in range(ROUNDS):
                    tag(store.collection(NAME), number)
                    print("done", number, flush=True)
            case "textness":
                images = store.collection(NAME)
                for number in range(ROUNDS):
                    images.set_textness({"number": number})
                    print("done", number, flush=True)
            case "remove":
                remove_images(store.collection(NAME), [folder / "removed"])
            case "drop":
                store.drop(NAME)
                update(store.create(NAME, encoder.identity), folder, encoder)
            case "create":
                update(store.create(NAME, encoder.identity), folder, encoder)
            case _:
                update(store.collection(NAME), folder, encoder, rehash=operation == "rehash")


def update(
    images: Collection, folder: Path, encoder: ColorEncoder, *, rehash: bool = False
) -> None:
    """Ingest a folder, and prune what it has no more."""
    options = IngestOptions(prune=True, force=True, rehash=rehash)
    ingest(FileSource([folder]), images, encoder, options)


def tag(images: Collection, number: int) -> None:
    """Write every row again, with one tag."""
    rows = [
        replace(row, record=replace(row.record, tags=(f"t{number}",))) for row in images.scan_rows()
    ]
    images.upsert(rows)
    images.finish_writes()


def tag_patiently(path: Path, number: int) -> None:
    """Write every row again once no other command writes."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with open_store(path) as store:
                tag(store.collection(NAME), number)
            return
        except StoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def announce(owner: Any, method: str, message: Callable[..., str]) -> None:
    """Let a method print a message, made of its arguments, before it starts, unless it is empty."""
    write: Callable[..., Any] = getattr(owner, method)

    @functools.wraps(write)
    def announced(*arguments: Any, **options: Any) -> Any:
        if text := message(*arguments):
            print(text, flush=True)
        return write(*arguments, **options)

    setattr(owner, method, announced)


def announce_lite() -> None:
    """Let each Milvus Lite be announced."""
    announce(FileLock, "note_child", lambda _, process_id: f"lite {process_id}")


def announce_writes() -> None:
    """Let everything that writes to a local store announce itself."""
    announce_lite()
    announce(native_server, "_create_database", lambda _: "create_database")
    for owner, methods in WRITES.items():
        for method in methods:
            announce(owner, method, lambda *_, method=method: method)
    announce(RemoteBackend, "_call", lambda _, method, *__: method if method in REMOTE else "")


if __name__ == "__main__":
    announce_writes()
    run(sys.argv[3], Path(sys.argv[1]), Path(sys.argv[2]))
