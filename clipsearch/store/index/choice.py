"""Choosing the kind of index of a collection, by its size and the recall that is wanted."""

from __future__ import annotations

from collections.abc import Iterator

from clipsearch.errors import UsageError
from clipsearch.store.capabilities import Capabilities
from clipsearch.store.index.kinds import INDEX_KINDS, MANAGED, IndexKind
from clipsearch.store.index.settings import RECALL, IndexSettings

AUTO = "auto"
CHOICES = (AUTO, *(name for name in INDEX_KINDS if name != MANAGED))
"""The kinds that a user may name."""

EXACT_ROWS = 100_000
"""Up to here an exact scan takes some 20 ms, and needs no building."""

WHOLE_ROWS = 10_000_000
"""Up to here a graph over whole vectors fits one machine: 2.2 GB a million at 512 dimensions."""

SMALL_ROWS = 50_000_000
"""Up to here a graph over vectors of one byte a dimension does: 0.65 GB a million."""

DISK_ROWS = 200_000_000
"""Beyond this even the codes of DISKANN, 0.26 GB a million, do not fit one machine."""

SQ8_RECALL = 0.99
"""The recall that vectors of one byte a dimension reach."""

RABITQ_RECALL = 0.9
"""The recall that vectors of one bit a dimension, refined, reach."""

_SCALE = (
    "flat",
    "ivf_flat",
    "hnsw",
    "hnsw_sq8",
    "ivf_sq8",
    "ivf_rabitq",
    "diskann",
    "aisaq",
    "gpu_cagra",
    MANAGED,
)
"""The kinds by the number of rows that they are for."""


def choose_kind(
    name: str, capabilities: Capabilities, *, rows: int | None = None, recall: float | None = None
) -> IndexKind:
    """Return the kind that a user named, or for "auto" the best one for `rows` and `recall`.

    `rows` is None for a new collection whose size is not known: on a server that gets a graph,
    which is fast for a few rows and for millions. Raises UsageError on a name that is not of
    CHOICES, and on a kind that this Milvus does not have.
    """
    if name != AUTO:
        return _require(name, capabilities)
    if capabilities.is_local:
        return INDEX_KINDS["flat"]
    wanted = RECALL if recall is None else recall
    candidates = _preferred(rows, wanted)
    return next(INDEX_KINDS[kind] for kind in candidates if kind in capabilities.index_kinds)


def choose_settings(name: str, capabilities: Capabilities, recall: float | None) -> IndexSettings:
    """Return the settings of a new collection; raises as `choose_kind` does."""
    if recall is not None and not 0 < recall <= 1:
        raise UsageError(f"the recall must be above 0 and at most 1, not {recall:g}")
    return IndexSettings(choose_kind(name, capabilities, recall=recall).name, recall)


def check_index(
    present: IndexSettings | None, capabilities: Capabilities, name: str, recall: float | None
) -> None:
    """Raise UsageError if a new collection cannot get this index, or `present` is another one."""
    settings = choose_settings(name, capabilities, recall)
    if present is not None and name not in (AUTO, present.kind):
        raise UsageError(
            f"the collection has the index {present.kind!r}: `clipsearch index --to "
            f"{settings.kind}` replaces it"
        )


def index_advice(settings: IndexSettings, capabilities: Capabilities, rows: int) -> str | None:
    """Say in one line what to do about an index that a collection has outgrown, or None."""
    suggested = suggest_kind(settings.kind, capabilities, rows=rows, recall=settings.recall)
    if suggested is not None:
        return (
            f"{rows:,} images are many for the index {settings.kind}: `clipsearch index --to "
            f"{suggested.name}` replaces it"
        )
    tuning = settings.tuning
    if tuning is not None and tuning.is_stale(rows):
        return (
            f"the index was tuned at {tuning.rows:,} images, now there are {rows:,}: `clipsearch "
            "tune` measures it again"
        )
    return None


def suggest_kind(
    current: str, capabilities: Capabilities, *, rows: int, recall: float | None = None
) -> IndexKind | None:
    """Return the kind that a collection of this size should have instead; None if its own will do.

    A graph over few rows is as good as a scan, and a kind that a user chose to save memory stays:
    only a collection that has outgrown its index gets another suggestion.
    """
    if capabilities.is_local or current not in INDEX_KINDS:
        return None
    best = choose_kind(AUTO, capabilities, rows=rows, recall=recall)
    return best if _SCALE.index(current) < _SCALE.index(best.name) else None


def _preferred(rows: int | None, recall: float) -> Iterator[str]:
    """Yield kinds for so many rows, the best first, the last ones on every server."""
    if rows is not None and rows <= EXACT_ROWS:
        yield "flat"
    elif rows is None or rows <= WHOLE_ROWS:
        yield "hnsw"
    elif rows <= SMALL_ROWS:
        if recall <= SQ8_RECALL:
            yield from ("hnsw_sq8", "ivf_sq8")
        yield "hnsw"
    else:
        if rows > DISK_ROWS:
            yield "aisaq"
        if recall <= RABITQ_RECALL:
            yield "ivf_rabitq"
        yield "diskann"
    yield MANAGED


def _require(name: str, capabilities: Capabilities) -> IndexKind:
    if name not in CHOICES:
        raise UsageError(f"no index {name!r}: choose {', '.join(CHOICES)}")
    kind = INDEX_KINDS[name]
    if name in capabilities.index_kinds:
        return kind
    if MANAGED in capabilities.index_kinds:
        raise UsageError(
            f"the index {name!r} cannot be chosen: {capabilities.server} chooses the index itself "
            "(--index auto)"
        )
    since = ".".join(map(str, kind.since or ()))
    server = "a Milvus server, " if capabilities.is_local else "Milvus "
    needed = f"{server}{'version ' if capabilities.is_local else ''}{since} or newer"
    known = ", ".join(choice for choice in CHOICES if choice in capabilities.index_kinds)
    raise UsageError(
        f"the index {name!r} needs {needed}: {capabilities.server} has {known} (--index auto "
        "chooses)"
    )
