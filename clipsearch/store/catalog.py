"""The catalog: a small Milvus collection with metadata of all others.

    collection/NAME       model, schema version (of rows and catalog), time, name in Milvus
    rows/MILVUS_NAME      a lower bound of its rows
    root/MILVUS_NAME/ID   a folder that was ingested
    root/MILVUS_NAME/ID/mount   the mount point of a disk with such folders
    failure/MILVUS_NAME/ID      a file that could not be ingested, and the reason
    textness/HASH         the textness probe of a model, for all its collections

Values that change have keys of their own: an upsert is a deletion and an insertion, and a kill in
between must not lose the model. Milvus Lite keeps no collection properties (2.5) or descriptions
(3.2), so a collection is the only way that works everywhere.
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.errors import DamagedStoreError
from clipsearch.images.hashing import content_hash, image_id
from clipsearch.models.base import ModelIdentity
from clipsearch.store import filters
from clipsearch.store.backend import Backend
from clipsearch.store.catalog_entry import (
    CollectionInfo,
    is_newer,
    milvus_name,
    to_failure,
    to_info,
)
from clipsearch.store.schema import SCHEMA_VERSION, CollectionSchema, encode_path
from clipsearch.types import Failure

CATALOG = "clipsearch_catalog"
REASON_LENGTH = 1_000
_SCHEMA = CollectionSchema({"key": 512, "value": 65_535}, (), "nothing", 2, hnsw=False)
_PLACEHOLDER = np.array([1, 0], dtype=np.float32)  # Milvus requires a vector in every row
_HEX_DIGITS = "0123456789abcdef"
_NAME_CHARACTERS = string.ascii_letters + string.digits + "_/"
_PAGE_ROWS = 1_000  # a value may have 64 KB, and a message 64 MB


class Catalog:
    """The keys and values of one store; the first write creates it."""

    def __init__(self, backend: Backend) -> None:
        """Make no call: reads check whether the catalog exists."""
        self._backend = backend
        self._is_known_to_exist = False

    def names(self) -> list[str]:
        """List the collections that have an entry."""
        return sorted(key.partition("/")[2] for key in self._read("collection/"))

    def info(self, name: str) -> CollectionInfo | None:
        """Return a collection's entry, or None; raise StoreError on one of a newer version."""
        keys = [f"collection/{name}", f"rows/{name}"]
        values = self._get(keys)
        if keys[0] not in values:
            return None
        stored = milvus_name(name, entry := values[keys[0]])
        rows = values if stored == name else self._get([f"rows/{stored}"])
        return to_info(name, entry, rows.get(f"rows/{stored}", 0), self._read(f"root/{stored}/"))

    def infos(self) -> list[CollectionInfo]:
        """Return all entries by name, without those of a newer version."""
        entries, rows = self._read("collection/"), self._read("rows/")
        infos = []
        for key, entry in sorted(entries.items()):
            name = key.partition("/")[2]
            stored = milvus_name(name, entry)
            if not is_newer(entry):
                roots = self._read(f"root/{stored}/")
                infos.append(to_info(name, entry, rows.get(f"rows/{stored}", 0), roots))
        return infos

    def add(self, name: str, model: ModelIdentity) -> CollectionInfo:
        """Add an entry for a new collection."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"model": asdict(model), "schema_version": SCHEMA_VERSION, "created_at": now}
        self._write({f"rows/{name}": 0, f"collection/{name}": entry})
        return to_info(name, entry, 0, {})

    def remove(self, name: str) -> None:
        """Delete everything about a collection, its entry last."""
        keys = [*self._read(f"failure/{name}/"), *self._read(f"root/{name}/"), f"rows/{name}"]
        self._delete(keys)
        self._delete([f"collection/{name}"])

    def set_rows(self, name: str, rows: int) -> None:
        """Set the lower bound of a collection's rows."""
        self._write({f"rows/{name}": rows})

    def add_roots(self, name: str, roots: Sequence[Path], mounts: Sequence[Path]) -> None:
        """Add folders that were ingested, and the mount points of their disks."""
        values = {f"root/{name}/{image_id(root)}": encode_path(root) for root in roots}
        points = {f"root/{name}/{image_id(point)}/mount": encode_path(point) for point in mounts}
        self._write(values | points)

    def remove_roots(self, name: str, paths: Sequence[Path]) -> None:
        """Delete folders and mount points."""
        keys = [f"root/{name}/{image_id(path)}" for path in paths]
        self._delete([*keys, *(f"{key}/mount" for key in keys)])

    def add_failures(self, name: str, failures: Sequence[Failure]) -> None:
        """Add files that could not be ingested, each with its last reason only."""
        self._write(
            {
                f"failure/{name}/{image_id(failure.path)}": {
                    "path": encode_path(failure.path),
                    "reason": failure.reason[:REASON_LENGTH],
                    **({"state": astuple(failure.state)} if failure.state else {}),
                }
                for failure in failures
            }
        )

    def remove_failures(self, name: str, paths: Sequence[Path]) -> None:
        """Delete the failures of these files."""
        self._delete([f"failure/{name}/{image_id(path)}" for path in paths])

    def failures(self, name: str) -> list[Failure]:
        """Return all failures, by path."""
        values = self._read(f"failure/{name}/").values()
        return sorted(map(to_failure, values), key=lambda failure: failure.path)

    def textness(self, model: ModelIdentity) -> dict[str, Any] | None:
        """Return the probe stored for a model as JSON, or None."""
        key = _textness_key(model)
        return self._get([key]).get(key)

    def set_textness(self, model: ModelIdentity, probe: dict[str, Any]) -> None:
        """Store a probe for a model, replacing an earlier one."""
        self._write({_textness_key(model): probe})

    def _get(self, keys: Sequence[str]) -> dict[str, Any]:
        return self._query(filters.key_in(keys), len(keys)) if self._exists() else {}

    def _read(self, prefix: str) -> dict[str, Any]:
        """Return all values whose key starts with `prefix`."""
        condition = filters.key_starts_with(prefix)
        values = self._query(condition, _PAGE_ROWS) if self._exists() else {}
        if len(values) < _PAGE_ROWS:
            return values
        values = self._get([prefix])
        for character in _HEX_DIGITS if prefix.count("/") == 2 else _NAME_CHARACTERS:
            values |= self._read(prefix + character)
        return values

    def _query(self, condition: str, limit: int) -> dict[str, Any]:
        rows = self._backend.query(CATALOG, condition, ["key", "value"], limit)
        try:
            return {row["key"]: json.loads(row["value"]) for row in rows}
        except ValueError as error:
            raise DamagedStoreError(
                f"{self._backend.uri} is damaged (its catalog: {error}): restore a copy, or delete "
                "it and ingest again"
            ) from error

    def _write(self, values: dict[str, Any]) -> None:
        if not self._exists():
            self._backend.create(CATALOG, _SCHEMA)
        self._backend.upsert(
            CATALOG,
            [
                {
                    "key": key,
                    "value": json.dumps(value, ensure_ascii=False),
                    _SCHEMA.vector: _PLACEHOLDER,
                }
                for key, value in values.items()
            ],
        )

    def _delete(self, keys: Sequence[str]) -> None:
        if keys and self._exists():
            self._backend.delete(CATALOG, keys)

    def _exists(self) -> bool:
        """Tell whether this process or another has created it; it is never dropped."""
        if not self._is_known_to_exist:
            self._is_known_to_exist = CATALOG in self._backend.collection_names()
        return self._is_known_to_exist


def _textness_key(model: ModelIdentity) -> str:
    """Return one key for all comparable models."""
    space = json.dumps([model.dim, model.weights, model.preprocessing]).encode()
    return f"textness/{content_hash(space)}"
