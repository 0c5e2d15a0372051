"""Which hits the smallest score, z and p of a query let pass; without numpy."""

from typing import Protocol

from clipsearch.records import Hit


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
