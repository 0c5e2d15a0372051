"""Near-duplicates: images that look the same, such as resized or recompressed copies."""

import os
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.types import Vectors

DEFAULT_SIMILARITY = 0.99
BLOCK_ROWS = 2048  # rows per matrix product: 2,048 × 2,048 cosines are 16 MB
TOLERANCE = 1e-5  # float32 rows of equal direction have cosines a little below 1


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Near-duplicates, the image with the most pixels (then the most bytes) first.

    `similarity` is the smallest cosine between the first image and another one. `identical` is True
    if all files have the same content.
    """

    records: tuple[ImageRecord, ...]
    similarity: float
    identical: bool


def find_near_duplicates(
    collection: Collection, threshold: float = DEFAULT_SIMILARITY
) -> list[DuplicateGroup]:
    """Groups of images whose embeddings have a cosine of at least `threshold`, largest first.

    Exact: compares every pair of different contents (n² / 2 products), one block of rows at a time,
    in about 5 kB of memory per image of 512 dimensions, however many images are alike. An image
    joins the group of the best image that it resembles itself, so chains of small differences do
    not merge into one group. Deleted files are left out. Raises UsageError unless
    0 < threshold <= 1.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"the threshold must be above 0 and at most 1, not {threshold}")
    copies, vectors = _read_contents(collection)
    by_quality = sorted(range(len(copies)), key=lambda i: _quality(copies[i][0]), reverse=True)
    order = np.array(by_quality, dtype=np.intp)
    leaders, cosines = _nearest_leaders(vectors, order, threshold)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for position in range(len(order)):
        members[int(leaders[position])].append(position)
    groups = []
    for positions in members.values():
        records = [record for position in positions for record in copies[order[position]]]
        if len(records) > 1:
            records.sort(key=_quality, reverse=True)
            similarity = float(cosines[positions].min())
            groups.append(DuplicateGroup(tuple(records), similarity, len(positions) == 1))
    return sorted(groups, key=lambda group: -len(group.records))


def _read_contents(collection: Collection) -> tuple[list[list[ImageRecord]], Vectors]:
    """The n different contents: the records of each, best first, and their vectors, (n, d)."""
    copies: dict[str, list[ImageRecord]] = {}  # by content hash, in the order of the vectors
    blocks: list[Vectors] = []
    for rows in batches(collection.scan_rows(), BLOCK_ROWS):
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
    vectors = np.concatenate(blocks) if blocks else np.empty((0, 0), dtype=np.float32)
    return [sorted(records, key=_quality, reverse=True) for records in copies.values()], vectors


def _quality(record: ImageRecord) -> tuple[int, int, str]:
    return record.width * record.height, record.size, record.id


def _nearest_leaders(
    vectors: Vectors, order: NDArray[np.intp], threshold: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The leader of each row as a position in `order`, (n,), and the cosine to it, (n,).

    Positions are visited in order. A row without a group founds one, as its leader, and takes all
    later rows without a group that are close to it.
    """
    count = len(order)
    leaders = np.full(count, -1, dtype=np.intp)
    cosines = np.ones(count)
    limit = threshold - TOLERANCE

    def join(positions: NDArray[np.intp], leader: NDArray[np.intp] | int, scores: Vectors) -> None:
        leaders[positions] = leader
        cosines[positions] = np.minimum(scores, 1.0)

    for start in range(0, count, BLOCK_ROWS):
        block = np.arange(start, min(start + BLOCK_ROWS, count))
        block = block[leaders[block] < 0]
        rows = vectors[order[block]]
        scores = rows @ rows.T
        for i, position in enumerate(map(int, block)):
            if leaders[position] < 0:
                leaders[position] = position
                close = np.flatnonzero((scores[i] >= limit) & (leaders[block] < 0))
                join(block[close], position, scores[i, close])
        founders = leaders[block] == block
        if not founders.any():
            continue
        for later_start in range(start + BLOCK_ROWS, count, BLOCK_ROWS):
            later = np.arange(later_start, min(later_start + BLOCK_ROWS, count))
            later = later[leaders[later] < 0]
            scores = rows[founders] @ vectors[order[later]].T
            close = scores >= limit
            columns = np.flatnonzero(close.any(axis=0))
            first = close[:, columns].argmax(axis=0)
            join(later[columns], block[founders][first], scores[first, columns])
    return leaders, cosines
