"""Vectors of a small part of a collection, to score repeated queries without Milvus."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from clipsearch.store.backend import Backend
from clipsearch.store.schema import EMBEDDING
from clipsearch.types import Vectors

MAX_ROWS = 3_000
"""Maximum rows whose vectors are kept."""

RECENT_SECONDS = 1.0
"""How long a number of rows is used."""


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
        self._count: tuple[float, int] | None = None  # when all rows were counted

    def count(self) -> int:
        """Count all rows, or return what was counted within RECENT_SECONDS.

        Rows that this process has written meanwhile are included.
        """
        now = time.monotonic()
        if self._count is None or now - self._count[0] > RECENT_SECONDS:
            self._count = now, self._backend.count(self._name)
        return self._count[1]

    def scores(
        self, condition: str, queries: Vectors, *, limit: int
    ) -> list[NDArray[np.float32]] | None:
        """Return the cosines of the matching rows for each of (n, d) queries, best first.

        The queries have length 1. Returns None for a first query, and for more than `limit` or
        MAX_ROWS rows.
        """
        self._queries[condition] += len(queries)
        if self._queries[condition] <= 1:
            return None
        if condition not in self._vectors:
            self._vectors = {condition: self._read(condition, min(limit, MAX_ROWS))}
        vectors = self._vectors[condition]
        if vectors is None:
            return None
        # The threads of a matrix product compete with those of the model that has just embedded
        # the query: on a busy machine that took 7 ms instead of 0.1.
        cosines = np.einsum("qd,nd->qn", queries, vectors)
        return [np.sort(row)[::-1][:limit] for row in cosines]

    def clear(self) -> None:
        """Forget everything, as the collection is about to change."""
        self._queries.clear()
        self._vectors = {}
        self._count = None

    def _read(self, condition: str, max_rows: int) -> Vectors | None:
        entities = self._backend.query(self._name, condition, [EMBEDDING], max_rows + 1)
        if len(entities) > max_rows:
            return None
        vectors = np.array([entity[EMBEDDING] for entity in entities], dtype=np.float32)
        return vectors.reshape(-1, self._dim)
