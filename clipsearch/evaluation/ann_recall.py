"""Recall of an approximate index: compare its results with an exact search."""

import time

import numpy as np

from clipsearch.errors import UsageError
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.results import Evaluation, share_measures
from clipsearch.evaluation.true_neighbors import TrueNeighbors, sample_vectors
from clipsearch.files.progress import Progress
from clipsearch.store import Collection
from clipsearch.types import Vectors

RECALL_LENGTHS = (1, 10, 100)
SAMPLE = 200
"""Images of the collection that serve as queries if none are given."""


def evaluate_ann_recall(
    collection: Collection,
    *,
    queries: Vectors | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure recall@1, 10 and 100 of a collection's search: the share of neighbors found.

    `queries` is (n, d) float32 of length 1; None takes 200 images of the collection. Each vector of
    the collection is read once, and memory holds a few thousand. A hit that scores as high as the
    k-th true neighbor is right, so that duplicates do not count as misses. Raises UsageError on an
    empty collection.
    """
    count = collection.count()
    if not count:
        raise UsageError(f"the collection {collection.info.name!r} is empty")
    if progress is not None:
        progress.total = count
    started = time.monotonic()
    vectors = sample_vectors(collection, SAMPLE) if queries is None else queries
    lengths = [k for k in RECALL_LENGTHS if k <= count]
    truth = TrueNeighbors(collection, vectors, max(lengths), progress)
    found = collection.index.find_ids(vectors, limit=max(lengths))
    recalls = np.stack([truth.recall(found, k) for k in lengths], axis=1)
    names = [f"recall@{k}" for k in lengths]
    return Evaluation(
        kind="agreement",
        model=f"search of {collection.info.name} against exact",
        counts={"images": count, "queries": len(vectors)},
        measures=share_measures("approximate search", names, bootstrap.estimate_means(recalls)),
        seconds=time.monotonic() - started,
    )
