"""Keys and JSON values in a collection of Milvus."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from clipsearch.consistency import Consistency
from clipsearch.errors import DamagedStoreError
from clipsearch.store import filters
from clipsearch.store.backend import Backend
from clipsearch.store.schema import CATALOG, CollectionSchema
from clipsearch.store.server_errors import MissingIndexError

_SCHEMA = CollectionSchema({"key": 512, "value": 65_535}, (), "nothing", 2)
_PLACEHOLDER = np.array([1, 0], dtype=np.float32)  # Milvus requires a vector in every row
_HEX_DIGITS = "0123456789abcdef"
_NAME_CHARACTERS = string.ascii_letters + string.digits + "_/"
_PAGE_ROWS = 1_000  # a value may have 64 KB, and a message 64 MB


class KeyValues:
    """The keys and values of the catalog; the first write creates the collection."""

    def __init__(self, backend: Backend, consistency: Consistency | None) -> None:
        """Make no call: reads check whether the collection exists."""
        self._backend = backend
        self._consistency = consistency
        self._is_known_to_exist = False

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of these keys; unknown keys are absent."""
        return self._query(filters.key_in(keys), len(keys)) if self._exists() else {}

    def read(self, prefix: str) -> dict[str, Any]:
        """Return all values whose key starts with `prefix`."""
        condition = filters.key_starts_with(prefix)
        values = self._query(condition, _PAGE_ROWS) if self._exists() else {}
        if len(values) < _PAGE_ROWS:
            return values
        values = self.get([prefix])
        for character in _HEX_DIGITS if prefix.count("/") == 2 else _NAME_CHARACTERS:
            values |= self.read(prefix + character)
        return values

    def _query(self, condition: str, limit: int) -> dict[str, Any]:
        fields, level = ["key", "value"], self._consistency
        read = partial(self._backend.query, CATALOG, condition, fields, limit, consistency=level)
        try:
            rows = read()
        except MissingIndexError:
            self._backend.create(CATALOG, _SCHEMA, "flat")  # does the rest of a creation
            rows = read()
        try:
            return {row["key"]: json.loads(row["value"]) for row in rows}
        except ValueError as error:
            raise DamagedStoreError(
                f"{self._backend.uri} is damaged (its catalog: {error}): restore a copy, or delete "
                "it and ingest again"
            ) from error

    def write(self, values: dict[str, Any]) -> None:
        """Write values by their keys, replacing those with the same key."""
        if not self._exists():
            self._backend.create(CATALOG, _SCHEMA, "flat")
        texts = {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}
        rows = [
            {"key": key, "value": text, _SCHEMA.vector: _PLACEHOLDER} for key, text in texts.items()
        ]
        self._backend.upsert(CATALOG, rows)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete keys; unknown keys are not an error."""
        if keys and self._exists():
            self._backend.delete(CATALOG, keys)

    def _exists(self) -> bool:
        """Tell whether this process or another has created it; it is never dropped."""
        if not self._is_known_to_exist:
            self._is_known_to_exist = CATALOG in self._backend.collection_names()
        return self._is_known_to_exist
