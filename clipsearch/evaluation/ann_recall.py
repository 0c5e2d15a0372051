"""What an approximate index misses: its results held against a search of every vector."""

import time
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.metrics import best
from clipsearch.evaluation.results import Evaluation, Measure, proportions
from clipsearch.files.progress import Progress
from clipsearch.store import Collection
from clipsearch.types import ImageRow, Vectors

AT = (1, 10, 100)
ROWS = 4096  # compared with the queries at once
QUERIES = 200
EQUAL = 1e-5  # two vectors as near as that: which one comes first is for rounding to say


def evaluate_ann_recall(
    collection: Collection,
    *,
    queries: Vectors | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Recall@1, 10 and 100 of a collection's search: the share of the true nearest that it finds.

    `queries` is (n, d) float32 of length 1; None takes 200 pictures of the collection. Every vector
    of the collection is read once and memory holds a few thousand. A hit as near as the k-th
    true one is right, so that equal pictures do not count as misses. Raises UsageError on an empty
    collection.
    """
    count = collection.count()
    if not count:
        raise UsageError(f"the collection {collection.info.name!r} is empty")
    if progress is not None:
        progress.total = count
    started = time.monotonic()
    wanted = _sample(collection) if queries is None else queries
    lengths = [k for k in AT if k <= count]
    nearest = _nearest(collection.scan_rows(), wanted, max(lengths), progress)
    found = collection.scores(wanted, limit=max(lengths))
    table = np.stack([_recall(found, nearest, k) for k in lengths], axis=1)
    return Evaluation(
        kind="agreement",
        model=f"search of {collection.info.name} against exact",
        counts={"images": count, "queries": len(wanted)},
        measures=_measures(table, lengths),
        seconds=time.monotonic() - started,
    )


def _measures(table: NDArray[np.float64], lengths: Sequence[int]) -> tuple[Measure, ...]:
    names = [f"recall@{k}" for k in lengths]
    return proportions("approximate search", names, bootstrap.means(table))


def _recall(found: Sequence[Vectors], nearest: Vectors, k: int) -> NDArray[np.float64]:
    """For each query the share of its first k hits whose score reaches the k-th true one."""
    return np.array(
        [
            (scores[:k] >= truth[k - 1] - EQUAL).sum() / k
            for scores, truth in zip(found, nearest, strict=True)
        ]
    )


def _nearest(
    rows: Iterator[ImageRow], queries: Vectors, count: int, progress: Progress | None
) -> Vectors:
    """The `count` highest cosines of each query with all rows, (n, count), highest first."""
    top = np.full((len(queries), 0), -np.inf, dtype=np.float32)
    for batch in batches(rows, ROWS):
        scores = queries @ np.stack([row.embedding for row in batch]).T
        both = np.concatenate([top, scores], axis=1)
        top = np.take_along_axis(both, best(both, count), axis=1)
        if progress is not None:
            progress.update(len(batch))
    return top


def _sample(collection: Collection) -> Vectors:
    """Some of the collection's own vectors; ids are hashes, so any of them are a random sample."""
    rows = islice(collection.scan_rows(), QUERIES)
    return np.stack([row.embedding for row in rows])
