"""Checks of a new generation before it replaces the old one."""

import random

import numpy as np

from clipsearch.batching import batches
from clipsearch.errors import StoreError
from clipsearch.store import Collection, filters
from clipsearch.store.paging import ID_SPACE
from clipsearch.store.row_check import find_problem
from clipsearch.store.schema import to_entity
from clipsearch.types import ImageRow

SAMPLE_ROWS = 256
"""Rows that are read again and searched by their own vectors."""

QUERIES = 16
"""Vectors of one search."""

FOUND = 0.95
"""Share of sampled images that a search by their own vector must find: an exact index finds all."""

SAME = 1e-3
"""A best hit whose cosine is within this of 1 is the image itself, or a copy of it."""


def verify(new: Collection, expected: int) -> None:
    """Raise StoreError unless a generation has its rows, and finds a sample of them.

    `expected` is the number of rows. The sample is read, compared with its checksums, and searched
    by its own vectors.
    """
    count = new.count()
    if count != expected:
        raise _error(new, f"it has {count:,} rows instead of {expected:,}")
    rows = _sample(new, count)
    if len(rows) < min(count, SAMPLE_ROWS):
        raise _error(new, f"only {len(rows)} of {min(count, SAMPLE_ROWS)} sampled rows are sound")
    for row in rows:
        entity = to_entity(row, new.info.schema_version)
        if reason := find_problem(entity, new.info.model.dim):
            raise _error(new, f"the row of {row.record.path} is wrong: {reason}")
    found = 0
    for batch in batches(rows, QUERIES):
        results = new.search(np.stack([row.embedding for row in batch]), limit=1)
        found += sum(bool(hits) and hits[0].score > 1 - SAME for hits in results)
    if found < FOUND * len(rows):
        raise _error(new, f"a search finds {found} of {len(rows)} sampled images")


def _sample(collection: Collection, count: int) -> list[ImageRow]:
    """Return at most SAMPLE_ROWS rows: ids are hashes, so a range of them is random."""
    width = min(ID_SPACE, ID_SPACE * 2 * SAMPLE_ROWS // max(1, count))
    low = random.randrange(ID_SPACE - width + 1)
    ids = [id_ for (id_,) in collection.scan_values(["id"], filters.id_range(low, low + width))]
    chosen = random.sample(ids, min(len(ids), SAMPLE_ROWS))
    return list(collection.get(chosen).values())


def _error(new: Collection, reason: str) -> StoreError:
    return StoreError(
        f"the new generation of {new.info.name!r} is not used: {reason}; run the command again, or "
        "start from scratch after `clipsearch reindex --cancel`"
    )
