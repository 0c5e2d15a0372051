"""The interface between collections and Milvus: this process's connection or the daemon."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from clipsearch.consistency import Consistency
from clipsearch.store.capabilities import Capabilities
from clipsearch.store.index.coverage import IndexCoverage
from clipsearch.store.index.kinds import Params
from clipsearch.store.index.operations import IndexState
from clipsearch.store.schema import CollectionSchema, Entity
from clipsearch.types import Vectors


class Backend(Protocol):
    """The Milvus operations that collections need, with plain values. For one thread at a time.

    A read without `consistency` has the level of the backend.
    """

    @property
    def uri(self) -> str:
        """The location of the store, without a password."""

    @property
    def path(self) -> Path | None:
        """The file of a local store; None for a server."""

    def close(self) -> None:
        """Disconnect; may be called more than once."""

    def capabilities(self) -> Capabilities:
        """Return what this Milvus can do; asks a server once for its version."""

    def begin_writes(self) -> int:
        """Become the only writer; return a number that changes if others may have written since.

        Raises StoreError while another process writes through the daemon.
        """

    def end_writes(self) -> None:
        """Let others write."""

    def collection_names(self) -> list[str]:
        """List all collections in Milvus, including those of other programs."""

    def create(self, name: str, schema: CollectionSchema, kind: str) -> None:
        """Create a collection with an index of this kind, of INDEX_KINDS, and load it."""

    def describe_index(self, name: str, vector: str) -> IndexState:
        """Describe the index of a vector field."""

    def replace_index(self, name: str, vector: str, kind: str) -> None:
        """Drop the index of a vector field, and build another one in the background.

        The collection answers no search until it is loaded again.
        """

    def set_index_options(self, name: str, *, mmap: bool | None, warmup: bool | None) -> None:
        """Set `mmap.enabled` and `warmup.vectorIndex` of a collection, unless None; reload it."""

    def fields(self, name: str) -> dict[str, int | None]:
        """Return the fields of a collection, with the dimension of vector fields."""

    def description(self, name: str) -> str:
        """Return the text with which a collection was created; Milvus Lite may not keep it."""

    def drop(self, name: str) -> None:
        """Delete a collection."""

    def upsert(self, name: str, entities: Sequence[Entity], changed: Sequence[str] = ()) -> None:
        """Write entities with different keys, replacing those with the same key.

        `changed` names the only fields that changed, if all these entities exist.
        """

    def delete(self, name: str, keys: Sequence[str]) -> None:
        """Delete entities by their primary keys."""

    def flush(self, name: str) -> None:
        """Make a server seal what was written, so that its index will cover it."""

    def count(
        self, name: str, condition: str = "", *, consistency: Consistency | None = None
    ) -> int:
        """Count the matching rows."""

    def is_loaded(self, name: str) -> bool:
        """Tell whether a collection is ready; a server first loads it into memory."""

    def index_coverage(self, name: str) -> IndexCoverage:
        """Return which rows the index covers; Milvus Lite needs none."""

    def query(
        self,
        name: str,
        condition: str,
        fields: Sequence[str],
        limit: int,
        *,
        consistency: Consistency | None = None,
    ) -> list[Entity]:
        """Return up to `limit` matching entities, in no defined order."""

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
        params: Params,
        consistency: Consistency | None = None,
    ) -> list[list[tuple[float, Entity]]]:
        """Return the nearest entities with their cosine for each of (n, d) queries, best first.

        `params` are those of the index, see `IndexSettings.search_params`.
        """
