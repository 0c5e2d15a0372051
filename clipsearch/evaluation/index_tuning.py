"""Tuning an index: the smallest search parameter that reaches a recall, measured on its rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from clipsearch.errors import StoreError, UsageError
from clipsearch.evaluation.true_neighbors import TrueNeighbors, sample_vectors
from clipsearch.files.progress import Progress
from clipsearch.store import Collection
from clipsearch.store.index.collection_index import CollectionIndex
from clipsearch.store.index.kinds import Effort
from clipsearch.store.index.settings import Tuning, wanted_recall
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

QUERIES = 200
RESULTS = 10

NOISE = 0.5
"""Length of what is added to a stored vector for a query: their cosine is then about 0.9.

A stored vector itself is its own nearest neighbor, and a graph leads straight to it.
"""

TIMED_QUERIES = 20
BUILD_SECONDS = 60.0
GAIN = 0.001
"""An index that gains less recall by twice the effort has reached what it can."""

PRECISION = 0.1
"""The value is found up to this part of it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What searches had with one value of the parameter.

    `recalls` are the means over each kind of query. `milliseconds` is the median of single ones.
    """

    effort: int
    recalls: Mapping[str, float]
    milliseconds: float

    @property
    def recall(self) -> float:
        """The recall of the kind of query with the lowest one."""
        return min(self.recalls.values())


@dataclass(frozen=True, slots=True)
class TuningReport:
    """All trials by value, and the tuning of the best; None for an exact index, with no trial."""

    kind: str
    parameter: str | None
    rows: int
    trials: tuple[Trial, ...]
    tuning: Tuning | None

    @property
    def reached(self) -> bool:
        """Whether the wanted recall was reached."""
        return self.tuning is None or self.tuning.recall >= self.tuning.wanted


class RecallMeter:
    """Searches whose true neighbors are known, to compare indexes of the same rows.

    Queries are stored vectors with noise, and texts, which lie far from all images, where a graph
    finds less.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        queries: int = QUERIES,
        results: int = RESULTS,
        texts: Vectors | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Find the true neighbors: read every row of the collection once.

        `texts` are (m, d) embeddings. Raises UsageError on an empty collection and on numbers
        below 1.
        """
        if queries < 1 or results < 1:
            raise UsageError("queries and results must be at least 1")
        if not (rows := collection.count()):
            raise UsageError(f"the collection {collection.info.name!r} is empty")
        if progress is not None:
            progress.total = rows
        groups = {"images": _noisy(sample_vectors(collection, queries))}
        if texts is not None and len(texts):
            groups["texts"] = texts[:queries]
        self.rows, self.results = rows, min(results, rows)
        self._sizes = {name: len(vectors) for name, vectors in groups.items()}
        self._queries = np.concatenate(list(groups.values()))
        self._truth = TrueNeighbors(collection, self._queries, self.results, progress)

    def measure(self, index: CollectionIndex, effort: int | None = None) -> Trial:
        """Measure recall and time of an index, with a value of the parameter or with its own."""
        found = index.find_ids(self._queries, limit=self.results, effort=effort)
        shares = self._truth.recall(found, self.results)
        parts = np.split(shares, np.cumsum(list(self._sizes.values()))[:-1])
        recalls = {name: float(part.mean()) for name, part in zip(self._sizes, parts, strict=True)}
        seconds = []
        for query in self._queries[:: max(1, len(self._queries) // TIMED_QUERIES)]:
            started = time.perf_counter()
            index.find_ids(query[None], limit=self.results, effort=effort)
            seconds.append(time.perf_counter() - started)
        return Trial(effort or 0, recalls, float(np.median(seconds)) * 1_000)


def tune_index(
    index: CollectionIndex, meter: RecallMeter, *, recall: float | None = None
) -> TuningReport:
    """Measure the smallest search parameter that reaches a recall; store nothing.

    The lower recall of image and text queries counts. None is the recall that the collection was
    made with, else 0.98. Waits up to BUILD_SECONDS for an index that is being built: a compaction
    starts by itself. Raises UsageError on a recall out of range, and StoreError if a part of the
    index is not built by then.
    """
    wanted = wanted_recall(index.settings) if recall is None else recall
    if not 0 < wanted <= 1:
        raise UsageError(f"the recall must be above 0 and at most 1, not {wanted:g}")
    spec = index.settings.spec
    if spec is None or spec.effort is None:
        return TuningReport(index.settings.kind, None, meter.rows, (), None)
    deadline = time.monotonic() + BUILD_SECONDS
    while (pending := index.coverage().pending_rows) and time.monotonic() < deadline:
        time.sleep(1)
    if pending:
        raise StoreError(
            f"the index is being built, {pending:,} rows are left: try again when `clipsearch "
            "index` shows none"
        )
    trials = _search_effort(index, meter, spec.effort, wanted)
    best = _best(trials, wanted)
    tuning = Tuning(
        kind=spec.name,
        effort=best.effort,
        wanted=wanted,
        recall=round(best.recall, 4),
        results=meter.results,
        milliseconds=round(best.milliseconds, 2),
        rows=meter.rows,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return TuningReport(spec.name, spec.effort.name, meter.rows, trials, tuning)


def _search_effort(
    index: CollectionIndex, meter: RecallMeter, effort: Effort, wanted: float
) -> tuple[Trial, ...]:
    """Double the value until the recall is reached or stops growing, then bisect."""
    value = max(effort.lowest, meter.results if effort.per_result >= 1 else 1)
    trials = [meter.measure(index, value)]
    while trials[-1].recall < wanted and value < effort.most and not _is_flat(trials):
        value = min(effort.most, 2 * value)
        trials.append(meter.measure(index, value))
    if len(trials) > 1 and trials[-1].recall >= wanted:
        low, high = trials[-2].effort, trials[-1].effort
        while high - low > max(1, PRECISION * high):
            middle = (low + high) // 2
            trials.append(meter.measure(index, middle))
            low, high = (low, middle) if trials[-1].recall >= wanted else (middle, high)
    return tuple(sorted(trials, key=lambda trial: trial.effort))


def _is_flat(trials: Sequence[Trial]) -> bool:
    """Tell whether the last two doublings gained next to nothing."""
    last = [trial.recall for trial in trials[-3:]]
    return len(last) == 3 and all(after - before < GAIN for before, after in pairwise(last))


def _best(trials: Sequence[Trial], wanted: float) -> Trial:
    """The trial with the smallest value that reaches the recall, else the highest recall."""
    most = max(trial.recall for trial in trials)
    least = wanted if most >= wanted else most - GAIN
    return next(trial for trial in trials if trial.recall >= least)


def _noisy(vectors: Vectors) -> Vectors:
    """Return each of (n, d) vectors of length 1 with noise, normalized; the same every time."""
    noise = normalize(np.random.default_rng(0).standard_normal(vectors.shape, dtype=np.float32))
    return normalize(vectors + NOISE * noise)
