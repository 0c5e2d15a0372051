"""What the collections are: a small collection of its own, of keys and JSON values.

    collection/NAME       model, schema version, time: written once
    rows/NAME             a lower bound of its rows
    root/NAME/ID          a folder that was ingested
    failure/NAME/ID       a file that could not be, and why
    textness/HASH         the textness probe of a model, for all collections of it

Values that change have keys of their own: an upsert is a deletion and an insertion, and a kill in
between must not take the model with it. Milvus Lite keeps no collection properties (2.5) or
descriptions (3.2), so this is the one way that works everywhere.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.errors import StoreError
from clipsearch.images.hashing import content_hash, image_id
from clipsearch.models.base import ModelIdentity
from clipsearch.store import filters
from clipsearch.store.backend import Connection
from clipsearch.store.fields import Layout
from clipsearch.store.schema import path_text, text_path
from clipsearch.types import Failure

CATALOG = "clipsearch_catalog"
SCHEMA_VERSION = 2
"""Of the rows and the catalog; a newer one in a store is an error. Version 1 had no tags."""

REASON_LENGTH = 1_000
_LAYOUT = Layout({"key": 512, "value": 65_535}, (), "nothing", 2, graph=False)
_NOTHING = np.array([1, 0], dtype=np.float32)  # Milvus wants a vector in every row
_HEX = "0123456789abcdef"
_NAMES = string.ascii_letters + string.digits + "_/"
_PAGE = 1_000  # values may be 64 KB each, and a message 64 MB


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What the catalog knows of a collection; `rows` is a lower bound, `created_at` ISO in UTC."""

    name: str
    model: ModelIdentity
    schema_version: int
    created_at: str
    rows: int
    roots: tuple[Path, ...]


class Catalog:
    """Keys and values of one store; made when first written."""

    def __init__(self, client: Connection) -> None:
        """Without a call: whether it is there is asked when it is read."""
        self._client = client
        self._seen = False

    def names(self) -> list[str]:
        """The collections that have an entry."""
        return sorted(key.partition("/")[2] for key in self._read("collection/"))

    def info(self, name: str) -> CollectionInfo | None:
        """What is known of a collection; None without an entry. Raise StoreError on a newer one."""
        keys = [f"collection/{name}", f"rows/{name}"]
        values = self._get(keys)
        if keys[0] not in values:
            return None
        roots = self._read(f"root/{name}/").values()
        return _info(name, values[keys[0]], values.get(keys[1], 0), roots)

    def infos(self) -> list[CollectionInfo]:
        """What is known of all, by name; those of a newer clipsearch are left out."""
        entries, rows = self._read("collection/"), self._read("rows/")
        names = sorted(key.partition("/")[2] for key in entries)
        return [
            _info(
                name,
                entries[f"collection/{name}"],
                rows.get(f"rows/{name}", 0),
                self._read(f"root/{name}/").values(),
            )
            for name in names
            if entries[f"collection/{name}"]["schema_version"] <= SCHEMA_VERSION
        ]

    def add(self, name: str, model: ModelIdentity) -> CollectionInfo:
        """Enter a new collection."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"model": asdict(model), "schema_version": SCHEMA_VERSION, "created_at": now}
        self._write({f"rows/{name}": 0, f"collection/{name}": entry})
        return _info(name, entry, 0, [])

    def remove(self, name: str) -> None:
        """Forget a collection, its entry last."""
        keys = [*self._read(f"failure/{name}/"), *self._read(f"root/{name}/"), f"rows/{name}"]
        self._delete(keys)
        self._delete([f"collection/{name}"])

    def set_rows(self, name: str, rows: int) -> None:
        """Set the lower bound."""
        self._write({f"rows/{name}": rows})

    def add_roots(self, name: str, roots: Sequence[Path]) -> None:
        """Remember folders."""
        self._write({f"root/{name}/{image_id(root)}": path_text(root) for root in roots})

    def remove_roots(self, name: str, roots: Sequence[Path]) -> None:
        """Forget folders."""
        self._delete([f"root/{name}/{image_id(root)}" for root in roots])

    def add_failures(self, name: str, failures: Sequence[Failure]) -> None:
        """Remember files, each with its last reason only."""
        self._write(
            {
                f"failure/{name}/{image_id(failure.path)}": {
                    "path": path_text(failure.path),
                    "reason": failure.reason[:REASON_LENGTH],
                }
                for failure in failures
            }
        )

    def remove_failures(self, name: str, paths: Sequence[Path]) -> None:
        """Forget files."""
        self._delete([f"failure/{name}/{image_id(path)}" for path in paths])

    def failures(self, name: str) -> list[Failure]:
        """All remembered files, by path."""
        values = self._read(f"failure/{name}/").values()
        return sorted((Failure(text_path(v["path"]), v["reason"]) for v in values), key=_path)

    def textness(self, model: ModelIdentity) -> dict[str, Any] | None:
        """The probe that was kept for a model, as JSON has it; None where none was."""
        key = _textness_key(model)
        return self._get([key]).get(key)

    def set_textness(self, model: ModelIdentity, probe: dict[str, Any]) -> None:
        """Keep a probe for a model, instead of an earlier one."""
        self._write({_textness_key(model): probe})

    def _get(self, keys: Sequence[str]) -> dict[str, Any]:
        where = f"key in [{', '.join(map(filters.quote, keys))}]"
        return self._query(where, len(keys)) if self._exists() else {}

    def _read(self, prefix: str) -> dict[str, Any]:
        """All values whose key begins with `prefix`."""
        values = self._query(filters.key_prefix(prefix), _PAGE) if self._exists() else {}
        if len(values) < _PAGE:
            return values
        values = self._get([prefix])
        for character in _HEX if prefix.count("/") == 2 else _NAMES:
            values |= self._read(prefix + character)
        return values

    def _query(self, where: str, limit: int) -> dict[str, Any]:
        rows = self._client.query(CATALOG, where, ["key", "value"], limit)
        return {row["key"]: json.loads(row["value"]) for row in rows}

    def _write(self, values: dict[str, Any]) -> None:
        if not self._exists():
            self._client.create(CATALOG, _LAYOUT)
        self._client.upsert(
            CATALOG,
            [
                {"key": key, "value": json.dumps(value, ensure_ascii=False), "nothing": _NOTHING}
                for key, value in values.items()
            ],
        )

    def _delete(self, keys: Sequence[str]) -> None:
        if keys and self._exists():
            self._client.delete(CATALOG, keys)

    def _exists(self) -> bool:
        """Whether this process or another has made it; it is never dropped."""
        self._seen = self._seen or CATALOG in self._client.names()
        return self._seen


def _info(name: str, entry: dict[str, Any], rows: int, roots: Iterable[str]) -> CollectionInfo:
    if entry["schema_version"] > SCHEMA_VERSION:
        raise StoreError(f"the collection {name!r} was made by a newer clipsearch: update this one")
    return CollectionInfo(
        name=name,
        model=ModelIdentity(**entry["model"]),
        schema_version=entry["schema_version"],
        created_at=entry["created_at"],
        rows=rows,
        roots=tuple(sorted(map(text_path, roots))),
    )


def _textness_key(model: ModelIdentity) -> str:
    """One for all models that are comparable."""
    space = json.dumps([model.dim, model.weights, model.preprocessing]).encode()
    return f"textness/{content_hash(space)}"


def _path(failure: Failure) -> Path:
    return failure.path
