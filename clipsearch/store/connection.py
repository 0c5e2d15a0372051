"""A connection of pymilvus: reopened if Milvus Lite restarts, with translated errors."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TypeVar

from clipsearch.address_space import STORE, require_address_space
from clipsearch.consistency import Consistency
from clipsearch.errors import (
    StoreError,
    TooLargeError,
    UsageError,
    describe_error,
    shorten,
)
from clipsearch.startup import begin_loading, import_pymilvus
from clipsearch.store import client, server_errors, server_retry
from clipsearch.store.milvus_errors import explain_lite, foreign_errors, is_too_large
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.milvus_lite.local_store import LiteServer
from clipsearch.store.milvus_lite.native_server import PARSER_PREFIX, native_library
from clipsearch.store.milvus_lite.pointer import read_pointer
from clipsearch.store.milvus_lite.recovery import lite_write_seconds, write_again
from clipsearch.store.open_files import require_open_files
from clipsearch.store.read_level import note_write, reading
from clipsearch.store.schema import RECORD_FIELDS
from clipsearch.uri import StoreURI

T = TypeVar("T")

CALL_SECONDS = 300.0
"""Limit of calls that may take long: loading, creating, flushing, and all reads of Milvus Lite."""

SERVER_SECONDS = 60.0
"""Limit of all other calls of a server: until then pymilvus tries again if it does not answer."""


class MilvusConnection:
    """One client of pymilvus. Not for several threads at once, nor across a fork."""

    def __init__(
        self,
        uri: StoreURI,
        *,
        token: str | None,
        create: bool,
        preload: str | None = None,
        lazy: bool = False,
    ) -> None:
        """Connect to the server at `uri`, or lock its path and start Milvus Lite on it.

        Milvus Lite starts at once to load the collection `preload`, if it exists. If `lazy`, the
        first call connects.
        """
        require_address_space(STORE, "open the store")
        self.uri = uri.display
        self.path = uri.path
        self._location = uri
        # pymilvus would misread a password with `@` or `/`, and show parts of it in its messages.
        self._token = token or uri.credentials
        self._address = uri.display  # replaced by that of the Milvus Lite in use
        self._preload = preload
        self._is_open = True
        self._client: Any = None
        self._loaded: set[str] = set()
        self.server: LiteServer | None = None  # of a local store
        self._preload_channel: Any = None
        if uri.path is None or native_library() is None:
            import_pymilvus()  # before Milvus Lite 3, which imports it too
        if uri.path is not None:
            self.server = local_store.acquire(uri.path, create=create)
            # A store that was never closed unlocks the file with its last reference.
            self._release = weakref.finalize(
                self, local_store.release, self.server.path, os.getpid()
            )
        if not lazy:
            try:
                self.repeat(self.client)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Disconnect, and end Milvus Lite after its last user; may be called more than once."""
        self._is_open = False
        self._disconnect()
        if self.server is not None:
            self._release()

    def client(self) -> Any:
        """Return the pymilvus client, connected; raise StoreError after `close`."""
        if not self._is_open:
            raise StoreError(f"the store {self.uri} is closed")
        if self.server is not None and self._address != self.server.address:
            self._disconnect()  # Milvus Lite was started again by this connection or another
        if self._client is None:
            self._connect()
        return self._client

    def unstarted(self) -> AbstractContextManager[bool]:
        """Keep Milvus Lite from starting meanwhile; yields False if it, or a server, runs."""
        return (
            self.server.unstarted() if self.server is not None else nullcontext(enter_result=False)
        )

    def client_for(self, collection: str) -> Any:
        """Return the client with a collection loaded; a new process must load before it reads."""
        client = self.client()
        if collection not in self._loaded:
            client.load_collection(collection, timeout=CALL_SECONDS)
            self._loaded.add(collection)
        return client

    @property
    def seconds(self) -> float:
        """The time limit of a call that neither loads nor flushes a collection."""
        return SERVER_SECONDS if self.server is None else CALL_SECONDS

    def read(self, collection: str, consistency: Consistency, call: Callable[..., T]) -> T:
        """Make a read at a level, with the options that `call` gets; repeat it as `repeat` does."""
        level = "strong" if self.server is not None else consistency  # Lite knows no others
        with reading(self.uri, collection, level) as name:
            return self.repeat(lambda: call(consistency_level=name, timeout=self.seconds))

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """Note that a collection is written, so that sessions read that, even if it fails."""
        try:
            yield
        finally:
            if self.server is None:
                note_write(self.uri, collection)

    def write_seconds(self, rows: int) -> float:
        """Return the time limit of a write of so many rows."""
        return SERVER_SECONDS if self.server is None else lite_write_seconds(rows)

    def repeat(self, call: Callable[[], T]) -> T:
        """Make a call, and again if Milvus Lite, or the server, ends meanwhile.

        Milvus Lite was killed, or crashed, and is started again; a server starts by itself.
        """
        if self.server is None:
            return server_retry.repeat(call, uri=self.uri, forget=self._loaded.clear)
        try:
            return call()
        except Exception:
            if not self.server.has_ended():
                raise
            return call()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the client that is quick and may be repeated."""
        return self.repeat(lambda: getattr(self.client(), method)(*arguments, timeout=self.seconds))

    def complete_write(self) -> None:
        """Write the rows of the redo log, if a write of a local store was interrupted."""
        if self.server is not None and self.server.guard.redo.exists():
            self.client()  # connecting does so, too
            self._redo()

    def forget(self, collection: str) -> None:
        """Note that a collection is not loaded any more."""
        self._loaded.discard(collection)

    @contextmanager
    def translating(self, collection: str = "", condition: str = "") -> Iterator[None]:
        """Translate the errors of pymilvus into StoreError.

        Raises UsageError if the caller's `condition` on this collection is to blame.
        """
        try:
            yield
        except foreign_errors() as error:
            died = self.server is not None and not self.server.is_alive()
            logged = self.server.read_log() if self.server is not None else ""
            is_parser_error = logged.startswith(PARSER_PREFIX)
            reason = shorten(logged) if died or is_parser_error else describe_error(error)
            if is_too_large(reason):
                raise TooLargeError(f"{self.uri}: too much for one message: {reason}") from error
            if (
                condition
                and not (self.server is None and server_errors.is_temporary(error))
                and self._answers(collection)
                and (is_parser_error or not self._answers(collection, condition))
            ):
                raise UsageError(
                    f"Milvus cannot read the filter {shorten(condition)!r}: {reason} "
                    f"(fields: {', '.join(RECORD_FIELDS)})"
                ) from error
            if self.server is not None and (lite := explain_lite(self.uri, reason, died=died)):
                raise lite from error
            if self.server is None:
                self._disconnect()  # the next call notices soon if the server is gone
            raise server_errors.translate(error, self.uri, collection) from error

    def _connect(self) -> None:
        require_open_files(self.uri)
        address = self.server.address if self.server else self._address
        if self._preload is not None and self.server is not None and native_library() is not None:
            self._preload_channel = begin_loading(
                address, read_pointer(self.server.path, self._preload)
            )
        lite = None if self.server is None else address
        self._client = client.connect(self._location, lite, self._token)
        self._address = address
        self._loaded.clear()
        self._redo()

    def _redo(self) -> None:
        if self.server is not None:
            try:
                with self.server.guard.writing():
                    write_again(self._client, self.server.guard.redo, self.uri)
            except StoreError:
                self._disconnect()
                raise

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._preload_channel is not None:
            self._preload_channel.close()
            self._preload_channel = None

    def _answers(self, collection: str, condition: str = "") -> bool:
        """Tell whether a count works, with a condition or without.

        Every version of Milvus has another error for each kind of malformed filter. If a count
        works without the condition and fails with it, the condition is to blame; if it works with
        it now, the failure was temporary.
        """
        # The first call may reach a Milvus Lite that the filter is just crashing.
        for pause in (0, 0.1) if self.server else (0,):
            time.sleep(pause)
            with suppress(StoreError, *foreign_errors()):
                self.client_for(collection).query(
                    collection, filter=condition, output_fields=["count(*)"], timeout=self.seconds
                )
                return True
        return False
