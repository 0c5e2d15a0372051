"""The Python API within the daemon's process, with its store and its encoders."""

import contextlib
from typing import Any, Never

from clipsearch.consistency import DEFAULT, Consistency
from clipsearch.daemon.remote_backend import remote_backend
from clipsearch.daemon.request_service import LocalCalls
from clipsearch.daemon.server import Server
from clipsearch.daemon.shared_backend import ShutdownError
from clipsearch.errors import ClipsearchError, StoreError
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.says.loaded import text_index
from clipsearch.store import Store


def open_index(
    server: Server,
    collection: str,
    runtime: Runtime | None = None,
    *,
    create: bool = False,
    consistency: Consistency = DEFAULT,
) -> Index:
    """Open a collection through the server's own store and encoders; close it after use.

    Any number may be open, each for one thread at a time; one at a time may write. The
    collection need not exist; `create` makes a missing file. Once the server stops, every call
    raises StoreError.
    """
    calls = _HostCalls(server.open_calls(create=create))
    backend = remote_backend(calls, _refuse, server.uri, consistency)
    try:
        return Index(Store(backend), collection, runtime=runtime)
    except BaseException:
        calls.close()
        raise


def warm_up(index: Index) -> list[str]:
    """Use the store and the model once, so that they are ready; return why the model is not.

    A missing collection is no reason: the first ingestion creates it.
    """
    try:
        if index.find_collection() is not None:
            index.collection.count()
            index.encoder.encode_texts(["a"])
    except ClipsearchError as error:
        return [str(error)]
    return []


def load_texts(index: Index) -> None:
    """Read the texts of the images into memory, so that searches for words are quick."""
    with contextlib.suppress(ClipsearchError):  # the first search says what is wrong
        if index.find_collection() is not None and index.collection.texts.count():
            text_index(index.collection.texts)


class _HostCalls:
    """LocalCalls that raise StoreError once the server stops."""

    def __init__(self, calls: LocalCalls) -> None:
        self._calls = calls

    def call(self, target: str, *arguments: Any, **options: Any) -> Any:
        try:
            return self._calls.call(target, *arguments, **options)
        except ShutdownError:
            _refuse()

    def open_another(self) -> "_HostCalls":
        """Return itself, which any thread can use."""
        return self

    def close(self) -> None:
        """End the session; the server closes the store."""
        self._calls.close()


def _refuse() -> Never:
    raise StoreError("the server is stopping")
