"""The Milvus backend: every call of pymilvus on collections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipsearch.consistency import DEFAULT, Consistency
from clipsearch.startup import import_pymilvus
from clipsearch.store.capabilities import Capabilities, lite_capabilities, server_capabilities
from clipsearch.store.connection import CALL_SECONDS, MilvusConnection
from clipsearch.store.index import operations
from clipsearch.store.index.coverage import IndexCoverage, read_coverage
from clipsearch.store.index.kinds import Params
from clipsearch.store.index.operations import IndexState
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.store.pymilvus_schema import pymilvus_schema
from clipsearch.store.schema import CollectionSchema, Entity
from clipsearch.store.writes import Writes
from clipsearch.types import Vectors
from clipsearch.uri import StoreURI


class MilvusBackend:
    """A Backend in this process. Not for several threads at once, nor across a fork."""

    def __init__(
        self,
        uri: StoreURI,
        *,
        token: str | None,
        create: bool,
        preload: str | None = None,
        lazy: bool = False,
        consistency: Consistency = DEFAULT,
    ) -> None:
        """Connect to the server at `uri`, or lock its path and start Milvus Lite on it.

        Milvus Lite starts at once to load the collection `preload`, if it exists. Loading takes
        most of the time of opening a large collection. If `lazy`, the first call connects.
        `consistency` is the level of reads that do not give one.
        """
        self._connection = MilvusConnection(
            uri, token=token, create=create, preload=preload, lazy=lazy
        )
        self._writes = Writes(self._connection)
        self._is_local = uri.path is not None
        self.address = uri.text, token
        """The URI and the token with which other processes connect; never show them."""
        self._capabilities: Capabilities | None = None
        self._consistency = consistency

    @property
    def uri(self) -> str:
        """The location of the store, without a password."""
        return self._connection.uri

    @property
    def path(self) -> Path | None:
        """The file of a local store; None for a server."""
        return self._connection.path

    def close(self) -> None:
        """Disconnect, and end Milvus Lite after its last user; may be called more than once."""
        self._connection.close()

    def capabilities(self) -> Capabilities:
        """Return what this Milvus can do; asks a server once for its version."""
        if self._is_local:  # Milvus Lite 2.5 does not tell its version, and need not run
            return lite_capabilities(native=native_library() is not None)
        if self._capabilities is None:
            with self._connection.translating():
                version = self._connection.ask("get_server_version")
            self._capabilities = server_capabilities(str(version), self.uri)
        return self._capabilities

    def begin_writes(self) -> int:
        """Do nothing: one process holds a file, and several may write to a server at once."""
        return 0

    def end_writes(self) -> None:
        """Do nothing."""

    def collection_names(self) -> list[str]:
        """List all collections in Milvus, including those of other programs."""
        with self._connection.translating():
            return sorted(self._connection.ask("list_collections"))

    def create(self, name: str, schema: CollectionSchema, kind: str) -> None:
        """Create a collection with an index of this kind and load it."""

        def create() -> None:
            client = self._connection.client()
            # Milvus Lite may have ended after this step, before the next one.
            if not (
                self._is_local and client.has_collection(name, timeout=self._connection.seconds)
            ):
                client.create_collection(
                    name,
                    schema=pymilvus_schema(client, schema),
                    num_shards=1,
                    timeout=CALL_SECONDS,
                )
            operations.create_index(client, name, schema.vector, kind)
            self._connection.forget(name)  # an earlier one that another process dropped
            self._connection.client_for(name)

        self._writes.run(create)

    def describe_index(self, name: str, vector: str) -> IndexState:
        """Describe the index of a vector field."""
        with self._connection.translating():
            return operations.describe_index(self._connection, name, vector)

    def replace_index(self, name: str, vector: str, kind: str) -> None:
        """Drop the index of a vector field, and build another one in the background."""
        self._writes.run(lambda: operations.replace_index(self._connection, name, vector, kind))

    def set_index_options(self, name: str, *, mmap: bool | None, warmup: bool | None) -> None:
        """Set `mmap.enabled` and `warmup.vectorIndex` of a collection, unless None; reload it."""
        options = {"mmap": mmap, "warmup": warmup}
        self._writes.run(lambda: operations.set_properties(self._connection, name, **options))

    def fields(self, name: str) -> dict[str, int | None]:
        """Return the fields of a collection, with the dimension of vector fields."""
        with self._connection.translating(name):
            description = self._connection.ask("describe_collection", name)
            return {f["name"]: f.get("params", {}).get("dim") for f in description["fields"]}

    def description(self, name: str) -> str:
        """Return the text with which a collection was created."""
        with self._connection.translating(name):
            return str(self._connection.ask("describe_collection", name)["description"])

    def drop(self, name: str) -> None:
        """Delete a collection."""

        def drop() -> None:
            client = self._connection.client()
            if client.has_collection(name, timeout=self._connection.seconds):
                client.drop_collection(name, timeout=CALL_SECONDS)

        self._writes.run(drop)
        self._connection.forget(name)

    def upsert(self, name: str, entities: Sequence[Entity], changed: Sequence[str] = ()) -> None:
        """Write entities with different keys, replacing those with the same key.

        `changed` names the only fields that changed, if all these entities exist.
        """
        # The redo log of a local store needs complete rows.
        if changed and not self._is_local and self.capabilities().partial_upsert:
            self._writes.update(name, entities, changed)
        else:
            self._writes.upsert(name, entities)

    def delete(self, name: str, keys: Sequence[str]) -> None:
        """Delete entities by their primary keys."""
        self._writes.delete(name, keys)

    def flush(self, name: str) -> None:
        """Make a server seal what was written, so that its index will cover it."""
        self._writes.run(
            lambda: self._connection.client().flush(name, timeout=CALL_SECONDS), collection=name
        )

    def count(
        self, name: str, condition: str = "", *, consistency: Consistency | None = None
    ) -> int:
        """Count the matching rows."""
        [result] = self._query(name, condition, ["count(*)"], consistency)
        return int(result["count(*)"])

    def is_loaded(self, name: str) -> bool:
        """Tell whether a collection is ready; a server first loads it into memory."""
        with self._connection.translating(name):
            state = self._connection.ask("get_load_state", name)["state"]
            return bool(state == import_pymilvus().client.types.LoadState.Loaded)

    def index_coverage(self, name: str) -> IndexCoverage:
        """Return which rows the index covers; Milvus Lite needs none."""
        with self._connection.translating():
            return IndexCoverage() if self._is_local else read_coverage(self._connection, name)

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
        return self._query(name, condition, list(fields), consistency, limit=limit)

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
        """Return the nearest entities for each of (n, d) queries of length 1, best first.

        Each comes with its cosine. The metric is that of the collection's index; collections of
        older versions have COSINE.
        """
        with self._connection.translating(name, condition):
            results = self._connection.read(
                name,
                consistency or self._consistency,
                lambda **options: self._connection.client_for(name).search(
                    name,
                    list(queries),
                    filter=condition,
                    limit=limit,
                    anns_field=vector,
                    output_fields=list(fields),
                    search_params={"offset": offset, "params": params},
                    **options,
                ),
            )
            return [[(float(hit["distance"]), hit["entity"]) for hit in hits] for hits in results]

    def _query(
        self,
        name: str,
        condition: str,
        fields: list[str],
        consistency: Consistency | None,
        **options: int,
    ) -> list[Entity]:
        with self._connection.translating(name, condition):
            entities = self._connection.read(
                name,
                consistency or self._consistency,
                lambda **level: self._connection.client_for(name).query(
                    name, filter=condition, output_fields=fields, **options, **level
                ),
            )
            return [dict(entity) for entity in entities]
