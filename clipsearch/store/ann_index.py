"""The ANN index of a collection: type, metric, build and search parameters."""

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


def choose_index(*, hnsw: bool, is_local: bool) -> IndexParams:
    """Return the index of a new collection: HNSW if asked for and on a server, else FLAT."""
    return HNSW if hnsw and not is_local else FLAT


def search_params(results: int, *, is_local: bool) -> dict[str, int]:
    """Return the index's parameters for a search for this many results (limit + offset)."""
    return {} if is_local else {"ef": search_ef(results)}


def search_ef(results: int) -> int:
    """Return HNSW's `ef`, the number of candidates, for this many results; at most 32,768.

    It is at least twice the number of results, since a search with fewer candidates misses some of
    the last results. It is at least 128, so that short lists are nearly exact, and a power of two,
    so that most pages of one search agree with each other.
    """
    return max(128, 1 << (2 * results - 1).bit_length())
