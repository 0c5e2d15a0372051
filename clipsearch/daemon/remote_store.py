"""The store as the warm process holds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clipsearch.daemon.client import Link, LostError
from clipsearch.errors import StoreError
from clipsearch.store.backend import Connection
from clipsearch.store.fields import Layout
from clipsearch.store.schema import Row
from clipsearch.types import Vectors


class RemoteClient:
    """A Connection through a link; once that is lost, a direct one, which repeats the call.

    Every call may be repeated: rows are written and deleted by their keys.
    """

    def __init__(
        self, link: Link, direct: Callable[[], Connection], *, uri: str, path: Path | None
    ) -> None:
        """`direct` connects without the warm process."""
        self.uri = uri
        self.path = path
        self._link: Link | None = link
        self._open = direct
        self._direct: Connection | None = None

    @property
    def link(self) -> Link | None:
        """The link while it holds."""
        return self._link

    def close(self) -> None:
        """End the session; the warm process stays."""
        self._open = self._refuse
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._direct is not None:
            self._direct.close()

    def claim(self) -> int:
        """Be the only writer; StoreError while another session of the warm process writes."""
        return int(self._do("claim"))

    def disclaim(self) -> None:
        """Let others write."""
        self._do("disclaim")

    def names(self) -> list[str]:
        """All collections of Milvus, ours or not."""
        return list(self._do("names"))

    def create(self, name: str, layout: Layout) -> None:
        """Make a collection with its index and load it."""
        self._do("create", name, layout)

    def fields(self, name: str) -> dict[str, int | None]:
        """The fields of a collection, and the dimension of those that are vectors."""
        return dict(self._do("fields", name))

    def drop(self, name: str) -> None:
        """Delete a collection."""
        self._do("drop", name)

    def upsert(self, name: str, rows: Sequence[Row]) -> None:
        """Write rows of different keys, replacing those of the same key."""
        self._do("upsert", name, rows)

    def delete(self, name: str, keys: Sequence[str]) -> None:
        """Delete rows by their primary keys."""
        self._do("delete", name, keys)

    def flush(self, name: str) -> None:
        """Make a server seal what was written."""
        self._do("flush", name)

    def count(self, name: str, where: str = "") -> int:
        """How many rows match, after every write so far."""
        return int(self._do("count", name, where))

    def is_loaded(self, name: str) -> bool:
        """Whether it can be read at once."""
        return bool(self._do("is_loaded", name))

    def query(self, name: str, where: str, fields: Sequence[str], limit: int) -> list[Row]:
        """Up to `limit` rows that match, in no order that could be relied on."""
        return list(self._do("query", name, where, fields, limit))

    def search(
        self,
        name: str,
        queries: Vectors,
        *,
        vector: str,
        limit: int,
        offset: int,
        where: str,
        fields: Sequence[str],
    ) -> list[list[tuple[float, Row]]]:
        """For each of (n, d) queries the nearest rows with their cosine, best first."""
        options = {"limit": limit, "offset": offset, "where": where, "fields": fields}
        return list(self._do("search", name, queries, vector=vector, **options))

    def _do(self, method: str, *arguments: Any, **options: Any) -> Any:
        if self._link is not None:
            try:
                return self._link.call("store", method, *arguments, **options)
            except LostError:
                self._link = None
        if self._direct is None:
            self._direct = self._open()
        return getattr(self._direct, method)(*arguments, **options)

    def _refuse(self) -> Connection:
        raise StoreError(f"the store {self.uri} is closed")
