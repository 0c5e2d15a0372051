"""Vectors of a small part of a collection, to score repeated queries without Milvus."""

from __future__ import annotations

from collections import Counter

import numpy as np

from clipsearch.store.backend import Backend
from clipsearch.store.schema import EMBEDDING
from clipsearch.types import Vectors

MAX_ROWS = 3_000
"""Maximum rows whose vectors are kept."""


class VectorCache:
    """The vectors that match one filter, read at the second query with that filter.

    Milvus needs about as long for a small part of the rows as for all.
    """

    def __init__(self, backend: Backend, name: str, dim: int) -> None:
        self._backend = backend
        self._name = name
        self._dim = dim
        self._queries: Counter[str] = Counter()  # queries so far with each filter
        self._vectors: dict[str, Vectors | None] = {}  # of one filter at most

    def get(self, condition: str, *, queries: int, limit: int) -> Vectors | None:
        """Return the (n, d) vectors of the matching rows for this many more queries.

        Returns None for a first query, and for more than `limit` or MAX_ROWS rows.
        """
        self._queries[condition] += queries
        if self._queries[condition] <= 1:
            return None
        if condition not in self._vectors:
            self._vectors = {condition: self._read(condition, min(limit, MAX_ROWS))}
        return self._vectors[condition]

    def clear(self) -> None:
        """Forget everything, as the collection is about to change."""
        self._queries.clear()
        self._vectors = {}

    def _read(self, condition: str, max_rows: int) -> Vectors | None:
        entities = self._backend.query(self._name, condition, [EMBEDDING], max_rows + 1)
        if len(entities) > max_rows:
            return None
        vectors = np.array([entity[EMBEDDING] for entity in entities], dtype=np.float32)
        return vectors.reshape(-1, self._dim)
