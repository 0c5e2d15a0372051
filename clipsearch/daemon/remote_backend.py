"""The store in the daemon, as a Backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from clipsearch.consistency import DEFAULT, Consistency
from clipsearch.daemon.connection import DaemonLostError
from clipsearch.errors import StoreError
from clipsearch.store.backend import Backend
from clipsearch.uri import StoreURI

READS = frozenset(
    {
        "capabilities",
        "collection_names",
        "count",
        "describe_index",
        "description",
        "fields",
        "flush",
        "index_coverage",
        "is_loaded",
        "query",
        "search",
    }
)
LEVELED = frozenset({"count", "query", "search"})
"""Reads with a level of consistency."""

WRITES = frozenset({"create", "delete", "drop", "replace_index", "set_index_options", "upsert"})
METHODS = READS | WRITES | {"begin_writes", "end_writes"}


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

    Its methods are those of Backend. Every call may be repeated, since rows are written and
    deleted by their keys.
    """

    def __init__(
        self,
        client: Calls,
        reopen: Callable[[], Backend],
        uri: StoreURI,
        consistency: Consistency,
    ) -> None:
        """Use a connected client; `reopen` opens a Backend without it or with another daemon."""
        self.uri = uri.display
        self.path = uri.path
        self._client: Calls | None = client
        self._reopen = reopen
        self._consistency = consistency
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

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Return a method of Backend, called in the daemon."""
        if method not in METHODS:
            raise AttributeError(method)
        return partial(self._call, method)

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        if method in LEVELED:
            options["consistency"] = options.get("consistency") or self._consistency
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


def remote_backend(
    client: Calls,
    reopen: Callable[[], Backend],
    uri: StoreURI,
    consistency: Consistency = DEFAULT,
) -> Backend:
    """Return a RemoteBackend, whose methods the type checker cannot see, as a Backend."""
    return cast("Backend", RemoteBackend(client, reopen, uri, consistency))
