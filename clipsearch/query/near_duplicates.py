"""Pictures that are the same to the eye: resized, recompressed, slightly edited, or plain copies."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.store import Collection
from clipsearch.types import ImageRecord, Vectors

THRESHOLD = 0.99
BLOCK = 2048  # rows a matrix product: 2,048 × 2,048 scores are 16 MB


@dataclass(frozen=True, slots=True)
class Group:
    """Near-duplicates, the one with most pixels (then most bytes) first.

    `similarity` is the smallest cosine between the first one and another; `identical` says that all
    files have the same content.
    """

    records: tuple[ImageRecord, ...]
    similarity: float
    identical: bool


def near_duplicates(collection: Collection, threshold: float = THRESHOLD) -> list[Group]:
    """Groups of pictures whose embeddings have a cosine of at least `threshold`, largest first.

    Exact: every pair of different contents is compared, n² / 2 products, one block of rows at a
    time; about 3 kB of memory a picture. A picture joins the group of a better one that it resembles
    itself, so that chains of small differences do not grow into one group. Files that are gone are
    left out. Raises UsageError unless 0 < threshold <= 1.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"the threshold must be above 0 and at most 1, not {threshold}")
    copies: dict[
        str, list[ImageRecord]
    ] = {}  # of one content; the order is that of the vectors' rows
    blocks: list[Vectors] = []
    for rows in batches(collection.scan_rows(), BLOCK):
        new = []
        for row in rows:
            if not os.path.lexists(row.record.path):
                continue
            if row.record.content_hash not in copies:
                copies[row.record.content_hash] = []
                new.append(row.embedding)
            copies[row.record.content_hash].append(row.record)
        if new:
            blocks.append(np.stack(new))
    contents = [sorted(records, key=_quality, reverse=True) for records in copies.values()]
    neighbours: defaultdict[int, dict[int, float]] = defaultdict(dict)
    for i, j, cosine in _close_pairs(blocks, threshold):
        neighbours[i][j] = neighbours[j][i] = cosine

    taken: set[int] = set()
    groups = []
    for leader in sorted(
        range(len(contents)), key=lambda i: _quality(contents[i][0]), reverse=True
    ):
        if leader in taken:
            continue
        members = {i: c for i, c in neighbours[leader].items() if i not in taken}
        taken |= {leader, *members}
        records = [record for i in (leader, *members) for record in contents[i]]
        if len(records) > 1:
            records.sort(key=_quality, reverse=True)
            groups.append(Group(tuple(records), min(members.values(), default=1.0), not members))
    return sorted(groups, key=lambda group: -len(group.records))


def _quality(record: ImageRecord) -> tuple[int, int, str]:
    return record.width * record.height, record.size, record.id


def _close_pairs(blocks: list[Vectors], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Every pair i < j of rows with at least that cosine."""
    starts = np.cumsum([0, *(len(block) for block in blocks)])
    tolerance = 1e-5  # float32 rows of equal direction have cosines a little below 1
    for a, first in enumerate(blocks):
        for b in range(a, len(blocks)):
            cosines = first @ blocks[b].T
            rows, columns = np.nonzero(cosines >= threshold - tolerance)
            for row, column in zip(rows, columns, strict=True):
                i, j = int(starts[a] + row), int(starts[b] + column)
                if i < j:
                    yield i, j, min(1.0, float(cosines[row, column]))
