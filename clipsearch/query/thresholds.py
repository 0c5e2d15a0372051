"""Which hits the smallest score, z and p of a query let pass; without numpy.

Hits are ordered by score, so some with a small p stand before others with a larger one. A query
with a smallest p therefore looks at more hits than it returns.
"""

from collections.abc import Sequence
from typing import Protocol

from clipsearch.records import MAX_RESULTS, Hit

FIRST_LOOK = 64
"""Hits that a query with a smallest p looks at first; a server finds them with one search."""


class Thresholds(Protocol):
    """The smallest values of a query, or of a request; None for no limit."""

    @property
    def min_score(self) -> float | None: ...

    @property
    def min_z(self) -> float | None: ...

    @property
    def min_p(self) -> float | None: ...


def passes_thresholds(hit: Hit, least: Thresholds) -> bool:
    """Whether a hit passes. A value that is unknown does not fail; see `Query` for p and z."""
    if least.min_score is not None and hit.score < least.min_score:
        return False
    if least.min_p is not None and hit.p is not None:
        return hit.p >= least.min_p
    return least.min_z is None or hit.z is None or hit.z >= least.min_z


def first_look(wanted: int) -> int:
    """How many of the nearest hits to look at first, for so many that pass."""
    return min(max(wanted, FIRST_LOOK), MAX_RESULTS)


def next_look(look: int, hits: Sequence[Hit], least: Thresholds, wanted: int) -> int | None:
    """How many hits to look at after the first `look` of them; None if that finds no more.

    The search ends where enough pass, and where none of the second half does.
    """
    passes = [passes_thresholds(hit, least) for hit in hits]
    is_all = len(hits) < look or look == MAX_RESULTS
    if is_all or sum(passes) >= wanted or not any(passes[len(passes) // 2 :]):
        return None
    return min(2 * look, MAX_RESULTS)
