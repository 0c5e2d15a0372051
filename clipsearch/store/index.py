"""The ANN index of a collection: its kind, its metric and its search parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

METRIC = "IP"
"""Inner product. For vectors of length 1 it is the cosine, in two thirds of the time on Lite."""


@dataclass(frozen=True, slots=True)
class IndexParams:
    """Type and build parameters of an index, in Milvus's words."""

    index_type: str
    params: dict[str, int] = field(default_factory=dict)


FLAT = IndexParams("FLAT")
"""An exact scan."""

HNSW = IndexParams("HNSW", {"M": 16, "efConstruction": 200})
"""A graph of neighbors, on servers only."""


def search_ef(results: int) -> int:
    """Return HNSW's `ef`, the number of candidates, for this many results; at most 32,768.

    It is at least twice the number of results, since a search with fewer candidates misses some of
    the last results. It is at least 128, so that short lists are nearly exact, and a power of two,
    so that most pages of one search agree with each other.
    """
    return max(128, 1 << (2 * results - 1).bit_length())
