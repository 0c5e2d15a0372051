"""What the catalog knows of a collection, and its entries as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import DamagedStoreError, StoreError
from clipsearch.images.hashing import content_hash
from clipsearch.models.base import ModelIdentity
from clipsearch.store.index.settings import IndexSettings
from clipsearch.store.schema import SCHEMA_VERSION, decode_path, encode_path
from clipsearch.types import FailedState, Failure

REASON_LENGTH = 1_000
CATCHING_UP = "catching_up"


@dataclass(frozen=True, slots=True)
class Generation:
    """All rows that one model made in one version of the schema, in a collection of Milvus.

    `created_at` is ISO 8601 in UTC.
    """

    milvus_name: str
    model: ModelIdentity
    schema_version: int
    created_at: str

    def to_json(self) -> dict[str, Any]:
        """Return it for the catalog."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """The catalog's entry: `rows` is a lower bound, `created_at` is ISO 8601 in UTC.

    `milvus_name` is the collection in Milvus that holds the rows: all calls of a backend take it.
    `name` is what the user calls it. `previous` is the generation that a reindex replaced and that
    was not dropped yet, `next` is the one that a reindex builds. `index` is the ANN index, whose
    parameters searches take. `is_catching_up` says that this generation may lack rows which others
    wrote to `previous` during the switch.
    """

    name: str
    milvus_name: str
    model: ModelIdentity
    schema_version: int
    created_at: str
    rows: int
    roots: tuple[Path, ...]
    mounts: tuple[Path, ...]
    index: IndexSettings
    previous: Generation | None = None
    next: Generation | None = None
    is_catching_up: bool = False

    @property
    def generation(self) -> Generation:
        """The generation that this describes."""
        return Generation(self.milvus_name, self.model, self.schema_version, self.created_at)

    @property
    def is_up_to_date(self) -> bool:
        """Whether it has the present schema, and no reindex of it is unfinished."""
        is_complete = self.next is None and not self.is_catching_up
        return self.schema_version == SCHEMA_VERSION and is_complete


def stored_name(name: str, entry: Mapping[str, Any]) -> str:
    """Return the collection in Milvus that an entry points to; at first it has the same name."""
    return str(entry.get("milvus_name", name))


def state_keys(milvus_name: str) -> list[str]:
    """Return the keys of the catalog for rows, index and tuning of a collection in Milvus."""
    return [f"rows/{milvus_name}", f"index/{milvus_name}", f"index/{milvus_name}/tuning"]


def index_values(milvus_name: str, index: IndexSettings) -> dict[str, Any]:
    """Return the values of the catalog for an index, by their keys; read with `read_settings`."""
    tuning = {f"index/{milvus_name}/tuning": asdict(index.tuning)} if index.tuning else {}
    return {f"index/{milvus_name}": index.to_json(), **tuning}


def generation_names(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Return the collections in Milvus of all generations, that in use first."""
    others = [value["milvus_name"] for key in ("previous", "next") if (value := entry.get(key))]
    return [stored_name(name, entry), *others]


def find_generation(
    name: str, entry: Mapping[str, Any], milvus_name: str | None
) -> Mapping[str, Any] | None:
    """Return the entry of the generation in use or the next one, by its name in Milvus."""
    if milvus_name in (None, stored_name(name, entry)):
        return entry
    following: Mapping[str, Any] = entry.get("next") or {}
    return following if following.get("milvus_name") == milvus_name else None


def to_info(
    name: str, entry: Mapping[str, Any], rows: int, roots: dict[str, str], index: IndexSettings
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
            milvus_name=stored_name(name, entry),
            model=ModelIdentity(**entry["model"]),
            schema_version=entry["schema_version"],
            created_at=entry["created_at"],
            rows=rows,
            roots=tuple(sorted(paths[key] for key in paths if not key.endswith("/mount"))),
            mounts=tuple(sorted(paths[key] for key in paths if key.endswith("/mount"))),
            index=index,
            previous=_to_generation(entry.get("previous")),
            next=_to_generation(entry.get("next")),
            is_catching_up=bool(entry.get(CATCHING_UP)),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedStoreError(
            f"the catalog's entry of the collection {name!r} is damaged ({error}): restore a copy, "
            "or delete the store and ingest again"
        ) from error


def _to_generation(value: Mapping[str, Any] | None) -> Generation | None:
    if not value:
        return None
    return Generation(
        milvus_name=value["milvus_name"],
        model=ModelIdentity(**value["model"]),
        schema_version=value["schema_version"],
        created_at=value["created_at"],
    )


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


def failure_json(failure: Failure) -> dict[str, Any]:
    """Return a failure for the catalog."""
    state = {"state": astuple(failure.state)} if failure.state else {}
    reason = failure.reason[:REASON_LENGTH]
    return {"path": encode_path(failure.path), "reason": reason, **state}


def textness_key(model: ModelIdentity) -> str:
    """Return one key for all comparable models."""
    return f"textness/{_space_hash(model)}"


def calibration_key(model: ModelIdentity) -> str:
    """Return one key for all comparable models."""
    return f"calibration/{_space_hash(model)}"


def _space_hash(model: ModelIdentity) -> str:
    return content_hash(json.dumps([model.dim, model.weights, model.preprocessing]).encode())
