"""What the catalog knows of a collection, and its entries as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import DamagedStoreError, StoreError
from clipsearch.models.base import ModelIdentity
from clipsearch.store.schema import SCHEMA_VERSION, decode_path
from clipsearch.types import FailedState, Failure


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """The catalog's entry: `rows` is a lower bound, `created_at` is ISO 8601 in UTC.

    `milvus_name` is the collection in Milvus that holds the rows: all calls of a backend take it.
    `name` is what the user calls it.
    """

    name: str
    milvus_name: str
    model: ModelIdentity
    schema_version: int
    created_at: str
    rows: int
    roots: tuple[Path, ...]
    mounts: tuple[Path, ...]


def milvus_name(name: str, entry: Mapping[str, Any]) -> str:
    """Return the collection in Milvus that an entry points to; at first it has the same name."""
    return str(entry.get("milvus_name", name))


def to_info(
    name: str, entry: Mapping[str, Any], rows: int, roots: dict[str, str]
) -> CollectionInfo:
    """Return the entry of a collection; raise StoreError on one of a newer version or damaged."""
    try:
        if is_newer(entry):
            raise StoreError(
                f"the collection {name!r} was made by a newer version of clipsearch: update this "
                "one"
            )
        paths = {key: decode_path(path) for key, path in roots.items()}
        return CollectionInfo(
            name=name,
            milvus_name=milvus_name(name, entry),
            model=ModelIdentity(**entry["model"]),
            schema_version=entry["schema_version"],
            created_at=entry["created_at"],
            rows=rows,
            roots=tuple(sorted(paths[key] for key in paths if not key.endswith("/mount"))),
            mounts=tuple(sorted(paths[key] for key in paths if key.endswith("/mount"))),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedStoreError(
            f"the catalog's entry of the collection {name!r} is damaged ({error}): restore a copy, "
            "or delete the store and ingest again"
        ) from error


def is_newer(entry: Mapping[str, Any]) -> bool:
    """Tell whether a newer version of clipsearch wrote an entry."""
    version = entry.get("schema_version")
    return isinstance(version, int) and version > SCHEMA_VERSION


def to_failure(value: Mapping[str, Any]) -> Failure:
    """Return a failure that the catalog holds."""
    path, reason = decode_path(value["path"]), str(value["reason"])
    if "state" not in value:
        return Failure(path, reason)
    return Failure(path, reason, "invalid", FailedState(*value["state"]))
