"""Near-duplicates: images that look the same, such as resized or recompressed copies."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch import arguments
from clipsearch.batching import batches
from clipsearch.errors import UsageError, of_process
from clipsearch.files.paths import modified_ns
from clipsearch.query.duplicate_candidates import Candidates
from clipsearch.query.embedding_groups import nearest_leaders
from clipsearch.query.pixel_groups import PixelGroups
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.types import Failure, Vectors

log = logging.getLogger("clipsearch")

PIXELS_THRESHOLD = 0.9
"""Copies of images of at least 200 pixels have cosines above 0.93; see `Candidates` for others."""

EMBEDDINGS_THRESHOLD = 0.99

SCAN_ROWS = 2048

LOSSLESS = frozenset({"png", "tiff", "bmp", "ppm", "psd", "tga", "raw"})
"""A JPEG of a drawing has more bytes than the PNG that it was made from."""


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
    collection: Collection, threshold: float | None = None, *, compare_pixels: bool = True
) -> list[DuplicateGroup]:
    """Groups of images that look the same, largest first.

    Images whose embeddings have a cosine of at least `threshold` (default: `PIXELS_THRESHOLD`) are
    compared pixel by pixel. Without `compare_pixels` such a cosine alone (default:
    `EMBEDDINGS_THRESHOLD`) makes a group. An image joins the group of the best image that it
    resembles itself, so chains of small differences do not merge into one group.

    Compares the embeddings of every pair of different contents (n² / 2 products), one block at a
    time, in about 5 kB of memory per image of 512 dimensions, however many images are alike. Files
    that are gone, have changed or cannot be read are left out with a warning. Raises UsageError
    unless 0 < threshold <= 1.
    """
    if threshold is None:
        threshold = PIXELS_THRESHOLD if compare_pixels else EMBEDDINGS_THRESHOLD
    threshold = arguments.number("threshold", threshold)
    if not 0 < threshold <= 1:
        raise UsageError(f"the threshold must be above 0 and at most 1, not {threshold}")
    contents, vectors, failures = _read_contents(collection)
    if not contents:
        leaders = np.empty(0, dtype=np.intp)
    elif compare_pixels:
        sides = np.array([(records[0].width, records[0].height) for records in contents])
        pixel_groups = PixelGroups([records[0].path for records in contents])
        leaders = pixel_groups.leaders(Candidates(vectors, sides, threshold))
        failures += pixel_groups.failures.values()
    else:
        leaders = nearest_leaders(vectors, threshold)
    _warn(failures)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for row, leader in enumerate(map(int, leaders)):
        members[leader].append(row)
    groups = []
    for leader, rows in members.items():
        records = [record for row in rows for record in contents[row]]
        if len(records) > 1:
            records.sort(key=_quality, reverse=True)
            similarity = min(1.0, float((vectors[rows] @ vectors[leader]).min()))
            groups.append(DuplicateGroup(tuple(records), similarity, len(rows) == 1))
    return sorted(groups, key=lambda group: -len(group.records))


def _read_contents(
    collection: Collection,
) -> tuple[list[list[ImageRecord]], Vectors, list[Failure]]:
    """The n different contents, best first: the records of each, and their vectors, (n, d).

    The third value are the files that do not have the stored content any more.
    """
    copies: dict[str, list[ImageRecord]] = {}  # by content hash, in the order of the vectors
    blocks: list[Vectors] = []
    failures = []
    for rows in batches(collection.scan_rows(), SCAN_ROWS):
        new = []
        for row in rows:
            if reason := _difference(row.record):
                failures.append(Failure(row.record.path, reason))
                continue
            if row.record.content_hash not in copies:
                copies[row.record.content_hash] = []
                new.append(row.embedding)
            copies[row.record.content_hash].append(row.record)
        if new:
            blocks.append(np.stack(new))
    vectors = np.concatenate(blocks) if blocks else np.empty((0, 0), dtype=np.float32)
    del blocks
    contents = [sorted(records, key=_quality, reverse=True) for records in copies.values()]
    order = sorted(range(len(contents)), key=lambda i: _quality(contents[i][0]), reverse=True)
    return [contents[i] for i in order], vectors[order], failures


def _difference(record: ImageRecord) -> str:
    """Why a file does not have the content of its record any more, or ""."""
    try:
        status = record.path.stat()
    except OSError as error:
        if of_process(error):
            raise
        return (error.strerror or str(error)).lower()
    current = (status.st_size, modified_ns(status))
    return "" if current == (record.size, record.mtime_ns) else "changed"


def _quality(record: ImageRecord) -> tuple[int, bool, int, str]:
    pixels = record.width * record.height
    return pixels, record.format in LOSSLESS, record.size, record.id


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
