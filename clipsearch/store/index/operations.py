"""Creating, describing and replacing the vector index of a collection in Milvus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clipsearch.store.connection import CALL_SECONDS, MilvusConnection
from clipsearch.store.index.kinds import INDEX_KINDS, METRIC

_MMAP = "mmap.enabled"
_WARMUP = "warmup.vectorIndex"
_BUILD_PARAMS = frozenset(name for kind in INDEX_KINDS.values() for name in kind.build)


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index as Milvus describes it: `kind` is None if it is not one of INDEX_KINDS.

    `properties` are those of the collection for mmap and warm-up.
    """

    kind: str | None
    index_type: str
    params: Mapping[str, str]
    properties: Mapping[str, str] = field(default_factory=dict)


def create_index(client: Any, name: str, vector: str, kind: str) -> None:
    """Create the index of a collection without one; it is built in the background."""
    spec, params = INDEX_KINDS[kind], client.prepare_index_params()
    params.add_index(
        vector,
        index_name=vector,
        index_type=spec.index_type,
        metric_type=METRIC,
        params=dict(spec.build),
    )
    # The index of an empty collection is ready at once; pymilvus would sleep half a second.
    client.create_index(name, params, timeout=CALL_SECONDS, sync=False)


def describe_index(connection: MilvusConnection, name: str, vector: str) -> IndexState:
    """Describe the index of a collection."""
    client = connection.client()
    index = client.describe_index(name, vector, timeout=connection.seconds) or {}
    properties = client.describe_collection(name, timeout=connection.seconds).get("properties", {})
    index_type = str(index.get("index_type", ""))
    kinds = (kind.name for kind in INDEX_KINDS.values() if kind.index_type == index_type)
    return IndexState(
        kind=next(kinds, None),
        index_type=index_type,
        params={key: str(index[key]) for key in sorted(_BUILD_PARAMS.intersection(index))},
        properties={key: str(properties[key]) for key in (_MMAP, _WARMUP) if key in properties},
    )


def replace_index(connection: MilvusConnection, name: str, vector: str, kind: str) -> None:
    """Drop the index of a collection and build another one in its place, in the background.

    The collection answers no search between the release and the end of the load.
    """
    client = connection.client()
    client.release_collection(name, timeout=CALL_SECONDS)
    connection.forget(name)
    client.drop_index(name, vector, timeout=CALL_SECONDS)
    create_index(client, name, vector, kind)
    connection.client_for(name)


def set_properties(
    connection: MilvusConnection, name: str, *, mmap: bool | None, warmup: bool | None
) -> None:
    """Set where a collection's data lies, and whether its index is loaded before the first search.

    None leaves a setting as it is. The collection is released and loaded again.
    """
    properties: dict[str, str] = {}
    if mmap is not None:
        properties[_MMAP] = str(mmap).lower()
    if warmup is not None:
        properties[_WARMUP] = "sync" if warmup else "disable"
    client = connection.client()
    client.release_collection(name, timeout=CALL_SECONDS)
    connection.forget(name)
    try:
        client.alter_collection_properties(name, properties=properties, timeout=CALL_SECONDS)
    finally:
        connection.client_for(name)
