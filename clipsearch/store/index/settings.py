"""The ANN index of a collection: its settings, and the parameters of a search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from clipsearch.records import MAX_RESULTS
from clipsearch.store.index.kinds import INDEX_KINDS, Effort, IndexKind, Params

RECALL = 0.98
"""The recall that is wanted if nobody says another: the share of true neighbors in 10 results."""

STALE = 2
"""A collection that has grown by this factor since it was tuned should be tuned again."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What `clipsearch tune` measured on an index of one kind.

    `effort` is the smallest value of the kind's search parameter with which searches for `results`
    images have `recall`; that may be less than the `wanted` one. `milliseconds` is the median time
    of such a search, `rows` the size of the collection then, `measured_at` ISO 8601 in UTC.
    """

    kind: str
    effort: int
    wanted: float
    recall: float
    results: int
    milliseconds: float
    rows: int
    measured_at: str

    def is_stale(self, rows: int) -> bool:
        """Tell whether the collection, now with `rows`, has outgrown what was measured."""
        return rows >= STALE * max(1, self.rows)


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """The index of a collection as the catalog knows it.

    `recall` is the wanted one, or None. `tuning` is what was measured on an index of this kind.
    """

    kind: str
    recall: float | None = None
    tuning: Tuning | None = None

    @property
    def spec(self) -> IndexKind | None:
        """The kind's description; None for one that only a newer version knows."""
        return INDEX_KINDS.get(self.kind)

    @property
    def is_approximate(self) -> bool:
        """Whether searches may miss neighbors, and take a parameter."""
        return self.spec is not None and self.spec.effort is not None

    @property
    def most_results(self) -> int:
        """The number of results after which every search ends."""
        return self.spec.most_results if self.spec else MAX_RESULTS

    def search_params(self, results: int) -> Params:
        """Return the parameters of a search for this many results (limit + offset)."""
        if self.spec is None:
            return {}
        return kind_params(self.spec, results, self.tuning)

    def with_effort(self, effort: int, results: int) -> IndexSettings:
        """Return these settings as if tuned to `effort` for this many results."""
        return replace(self, tuning=Tuning(self.kind, effort, 1, 1, results, 0, 0, ""))

    def to_json(self) -> dict[str, Any]:
        """Return the kind and the wanted recall, which are stored apart from what was measured."""
        return {"kind": self.kind, "recall": self.recall}


def wanted_recall(settings: IndexSettings) -> float:
    """Return the recall that a collection is to have."""
    return RECALL if settings.recall is None else settings.recall


def default_settings(*, is_local: bool) -> IndexSettings:
    """Return the index of collections that were made before there was a choice."""
    return IndexSettings("flat" if is_local else "hnsw")


def read_settings(
    entry: Mapping[str, Any] | None, tuning: Mapping[str, Any] | None, *, is_local: bool
) -> IndexSettings:
    """Return the settings of two values of the catalog; what is missing or damaged is unset.

    So is what was measured on an index of another kind, which was replaced since.
    """
    settings = default_settings(is_local=is_local)
    try:
        if entry:
            settings = IndexSettings(str(entry["kind"]), entry["recall"])
        measured = Tuning(**tuning) if tuning else None
    except (KeyError, TypeError):
        return settings
    is_of_kind = measured is not None and measured.kind == settings.kind
    return replace(settings, tuning=measured) if is_of_kind else settings


def kind_params(kind: IndexKind, results: int, tuning: Tuning | None = None) -> Params:
    """Return the parameters of a search for this many results, tuned or by a safe default."""
    effort, extra = kind.effort, dict(kind.extra)
    if effort is None:
        return extra
    if tuning is None:
        return {effort.name: default_effort(effort, results), **extra}
    least = math.ceil(results * min(1.0, effort.per_result))  # a graph must visit what it returns
    wanted = max(tuning.effort, least)
    if results > tuning.results:  # which was not measured
        wanted = max(wanted, default_effort(effort, results))
    return {effort.name: min(effort.most, wanted), **extra}


def default_effort(effort: Effort, results: int) -> int:
    """Return the value of a search parameter for this many results of a collection not tuned.

    It grows with the number of results, since a search with few candidates misses some of the last
    ones. It is a power of two, so that most pages of one search agree with each other.
    """
    needed = math.ceil(results * effort.per_result)
    return min(effort.most, max(effort.least, 1 << max(0, needed - 1).bit_length()))
