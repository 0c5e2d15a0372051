"""The one seam between collections and Milvus: held in this process, or by the warm one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from clipsearch.store.fields import Layout
from clipsearch.store.schema import Row
from clipsearch.types import Vectors


class Connection(Protocol):
    """What collections ask of Milvus, with plain values only. For one thread at a time."""

    @property
    def uri(self) -> str:
        """The address as it may be shown."""

    @property
    def path(self) -> Path | None:
        """The file of a local store."""

    def close(self) -> None:
        """Give it free; more than once is fine."""

    def claim(self) -> int:
        """Be the only writer from now on; another number each time there may have been others.

        Raises StoreError while another one writes.
        """

    def disclaim(self) -> None:
        """Let others write."""

    def names(self) -> list[str]:
        """All collections of Milvus, ours or not."""

    def create(self, name: str, layout: Layout) -> None:
        """Make a collection with its index and load it."""

    def fields(self, name: str) -> dict[str, int | None]:
        """The fields of a collection, and the dimension of those that are vectors."""

    def drop(self, name: str) -> None:
        """Delete a collection."""

    def upsert(self, name: str, rows: Sequence[Row]) -> None:
        """Write rows of different keys, replacing those of the same key."""

    def delete(self, name: str, keys: Sequence[str]) -> None:
        """Delete rows by their primary keys."""

    def flush(self, name: str) -> None:
        """Make a server seal what was written, so that its index comes to cover it."""

    def count(self, name: str, where: str = "") -> int:
        """How many rows match, after every write so far."""

    def is_loaded(self, name: str) -> bool:
        """Whether it can be read at once; else a server first loads it into its memory."""

    def query(self, name: str, where: str, fields: Sequence[str], limit: int) -> list[Row]:
        """Up to `limit` rows that match, in no order that could be relied on."""

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
