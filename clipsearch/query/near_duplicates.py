"""Near-duplicates: images that look the same, such as resized or recompressed copies."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch import arguments
from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.files.progress import OpenProgress, no_progress
from clipsearch.query.close_vectors import CloseVectors
from clipsearch.query.duplicate_candidates import Candidates
from clipsearch.query.duplicate_contents import Contents, quality, read_contents
from clipsearch.query.embedding_groups import nearest_leaders
from clipsearch.query.pixel_groups import PixelGroups
from clipsearch.query.vector_file import Rows, VectorFile
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.types import Failure

log = logging.getLogger("clipsearch")

PIXELS_THRESHOLD = 0.9
"""Copies of images of at least 200 pixels have cosines above 0.93; see `Candidates` for others."""

EMBEDDINGS_THRESHOLD = 0.99

ORDERED_ROWS = 512

SCANNED_SHARE = 20
"""If more than one record in so many is in a group, a scan reads them faster than their ids."""


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Near-duplicates, the image with the most pixels first, then lossless ones, then the largest.

    `similarity` is the smallest cosine between the first image and another one. `identical` is True
    if all files have the same content.
    """

    records: tuple[ImageRecord, ...]
    similarity: float
    identical: bool


def find_near_duplicates(
    collection: Collection,
    threshold: float | None = None,
    *,
    compare_pixels: bool = True,
    progress: OpenProgress = no_progress,
) -> list[DuplicateGroup]:
    """Groups of images that look the same, largest first.

    Images whose embeddings have a cosine of at least `threshold` (default: `PIXELS_THRESHOLD`) are
    compared pixel by pixel. Without `compare_pixels` such a cosine alone (default:
    `EMBEDDINGS_THRESHOLD`) makes a group. An image joins the group of the best image that it
    resembles itself, so chains of small differences do not merge into one group.

    No pair is missed. The embeddings are in a temporary file, of 2 kB an image of 512 dimensions;
    memory holds up to 1 kB of each image, however many are alike. Files that are gone, have changed
    or cannot be read are left out with a warning. Raises UsageError unless 0 < threshold <= 1.
    """
    if threshold is None:
        threshold = PIXELS_THRESHOLD if compare_pixels else EMBEDDINGS_THRESHOLD
    threshold = arguments.number("threshold", threshold)
    if not 0 < threshold <= 1:
        raise UsageError(f"the threshold must be above 0 and at most 1, not {threshold}")
    with VectorFile() as vectors:
        contents, order = _read_in_order(collection, vectors, progress)
        close = CloseVectors(vectors, threshold)
        failures = contents.failures
        with progress("compare", len(order)) as bar:
            if compare_pixels:
                pixel_groups = PixelGroups([contents.paths[number] for number in order])
                candidates = Candidates(close, contents.sides_of(order), threshold)
                leaders = pixel_groups.leaders(candidates, bar)
                failures += pixel_groups.failures.values()
            else:
                leaders = nearest_leaders(close, threshold, bar)
        _warn(failures)
        return _groups(collection, contents, order, leaders, vectors)


def _read_in_order(
    collection: Collection, vectors: VectorFile, progress: OpenProgress
) -> tuple[Contents, Rows]:
    """Return the contents and their numbers, best first, and write their vectors in that order."""
    with VectorFile() as read, progress("read", None) as bar:
        contents = read_contents(collection.scan_rows(), read, bar)
        order = contents.order()
        for start in range(0, len(order), ORDERED_ROWS):
            vectors.append(read.read(order[start : start + ORDERED_ROWS]))
    return contents, order


def _groups(
    collection: Collection, contents: Contents, order: Rows, leaders: Rows, vectors: VectorFile
) -> list[DuplicateGroup]:
    """Return the groups of the contents with the same leader, and of their copies."""
    sizes = np.bincount(leaders, minlength=len(order))
    leader_of = np.empty(len(order), dtype=np.intp)  # by the number of the content
    leader_of[order] = leaders
    leader_of_file = leader_of[np.array(contents.numbers, dtype=np.intp)]
    is_grouped = np.bincount(leader_of_file, minlength=len(order))[leader_of_file] > 1
    ids: defaultdict[int, list[str]] = defaultdict(list)
    for file in map(int, np.flatnonzero(is_grouped)):
        ids[int(leader_of_file[file])].append(contents.ids[file])
    groups_of_ids = dict(sorted(ids.items()))
    by_leader = np.argsort(leaders, kind="stable")
    starts = np.cumsum(sizes) - sizes
    records = _records(
        collection, [i for found in groups_of_ids.values() for i in found], len(order)
    )
    groups = []
    for leader, found in groups_of_ids.items():
        members = [records[i] for i in found if i in records]
        if len(members) > 1:  # they may have been deleted meanwhile
            rows = by_leader[starts[leader] : starts[leader] + sizes[leader]]
            members.sort(key=quality, reverse=True)
            similarity = _similarity(vectors, leader, rows)
            groups.append(DuplicateGroup(tuple(members), similarity, len(rows) == 1))
    return sorted(groups, key=lambda group: -len(group.records))


def _records(
    collection: Collection, ids: Sequence[str], contents: int
) -> Mapping[str, ImageRecord]:
    """Return the records with these ids; deleted ones are absent."""
    wanted = set(ids)
    if len(ids) * SCANNED_SHARE > contents:
        return {record.id: record for record in collection.scan() if record.id in wanted}
    return {
        row.record.id: row.record
        for batch in batches(ids, ORDERED_ROWS)
        for row in collection.get(batch).values()
    }


def _similarity(vectors: VectorFile, leader: int, rows: Rows) -> float:
    """Return the smallest cosine between the leader and the rows."""
    first = vectors.read(np.array([leader]))[0]
    smallest = 1.0
    for start in range(0, len(rows), ORDERED_ROWS):
        cosines = vectors.read(rows[start : start + ORDERED_ROWS]) @ first
        smallest = min(smallest, float(cosines.min()))
    return smallest


def _warn(failures: Sequence[Failure]) -> None:
    if failures:
        first = failures[0]
        log.warning(
            "left out files that are gone, changed or unreadable: %d, such as %s (%s); run "
            "`clipsearch ingest --prune` again",
            len(failures),
            first.path,
            first.reason,
        )
