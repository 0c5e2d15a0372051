"""The store in the daemon, as a Backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from clipsearch.daemon.connection import DaemonLostError
from clipsearch.errors import StoreError
from clipsearch.store.backend import Backend
from clipsearch.store.schema import CollectionSchema, Entity
from clipsearch.types import Vectors
from clipsearch.uri import StoreURI


class Calls(Protocol):
    """A session with a daemon: a DaemonClient, or LocalCalls within the daemon."""

    def call(self, target: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the store or of an encoder."""

    def open_another(self) -> Calls:
        """Return one more session, for another thread."""

    def close(self) -> None:
        """End the session."""


class RemoteBackend:
    """A Backend through a daemon; once that is lost, another one, which repeats the call.

    Every call may be repeated, since rows are written and deleted by their keys.
    """

    def __init__(
        self,
        client: Calls,
        reopen: Callable[[], Backend],
        uri: StoreURI,
    ) -> None:
        """Use a connected client; `reopen` opens a Backend without it or with another daemon."""
        self.uri = uri.display
        self.path = uri.path
        self._client: Calls | None = client
        self._reopen = reopen
        self._other: Backend | None = None

    @property
    def client(self) -> Calls | None:
        """The session with the daemon, or with the one that replaced it; None without one."""
        return self._other.client if isinstance(self._other, RemoteBackend) else self._client

    def close(self) -> None:
        """End the session; the daemon keeps running."""
        self._reopen = self._refuse
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._other is not None:
            self._other.close()

    def begin_writes(self) -> int:
        """Become the only writer; raise StoreError while another session of the daemon writes."""
        return int(self._call("begin_writes"))

    def end_writes(self) -> None:
        """Let others write."""
        self._call("end_writes")

    def collection_names(self) -> list[str]:
        """List all collections in Milvus, including those of other programs."""
        return list(self._call("collection_names"))

    def create(self, name: str, schema: CollectionSchema) -> None:
        """Create a collection with its index and load it."""
        self._call("create", name, schema)

    def fields(self, name: str) -> dict[str, int | None]:
        """Return the fields of a collection, with the dimension of vector fields."""
        return dict(self._call("fields", name))

    def drop(self, name: str) -> None:
        """Delete a collection."""
        self._call("drop", name)

    def upsert(self, name: str, entities: Sequence[Entity]) -> None:
        """Write entities with different keys, replacing those with the same key."""
        self._call("upsert", name, entities)

    def delete(self, name: str, keys: Sequence[str]) -> None:
        """Delete entities by their primary keys."""
        self._call("delete", name, keys)

    def flush(self, name: str) -> None:
        """Make a server seal what was written, so that its index will cover it."""
        self._call("flush", name)

    def count(self, name: str, condition: str = "") -> int:
        """Count the matching rows, after all writes so far."""
        return int(self._call("count", name, condition))

    def is_loaded(self, name: str) -> bool:
        """Tell whether a collection is ready; a server first loads it into memory."""
        return bool(self._call("is_loaded", name))

    def query(self, name: str, condition: str, fields: Sequence[str], limit: int) -> list[Entity]:
        """Return up to `limit` matching entities, in no defined order."""
        return list(self._call("query", name, condition, fields, limit))

    def search(
        self,
        name: str,
        queries: Vectors,
        *,
        vector: str,
        limit: int,
        offset: int,
        condition: str,
        fields: Sequence[str],
    ) -> list[list[tuple[float, Entity]]]:
        """Return the nearest entities with their cosine for each of (n, d) queries, best first."""
        results = self._call(
            "search",
            name,
            queries,
            vector=vector,
            limit=limit,
            offset=offset,
            condition=condition,
            fields=fields,
        )
        return list(results)

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        if self._client is not None:
            try:
                return self._client.call("store", method, *arguments, **options)
            except DaemonLostError:
                self._client = None
        if self._other is None:
            self._other = self._reopen()
        return getattr(self._other, method)(*arguments, **options)

    def _refuse(self) -> Backend:
        raise StoreError(f"the store {self.uri} is closed")
