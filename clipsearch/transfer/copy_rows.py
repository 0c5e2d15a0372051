"""Copy the rows of one collection to another; resumable, and verified."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from clipsearch.batching import batches
from clipsearch.files.progress import OpenProgress, no_progress
from clipsearch.store import Collection, filters
from clipsearch.store.checksum import row_checksum
from clipsearch.store.paging import ID_SPACE
from clipsearch.store.schema import CHECKSUM, EMBEDDING, stored_fields, to_entity
from clipsearch.transfer.row_writes import write_rows
from clipsearch.types import ImageRow

RANGE_ROWS = 8_192
"""Rows of a range of ids: their checksums are one page of every Milvus, and 2 MB of memory."""

BATCH_BYTES = 8 << 20
"""Vectors that are read and written at once."""

SAMPLE_ROWS = 1_000
"""Rows whose content is compared in the end; of the others, the stored checksums."""

MAX_PASSES = 4
"""Passes over all rows before a source that changes all the time counts as not copied."""


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The result: `is_complete` says that the last comparison found every row in the target.

    `rows` is the number in the source, `sent` how often a row was written to the target. `extra`
    are rows that only the target has, unless they were `deleted`. `damaged` rows of the source were
    left out, as their checksum is wrong, and `refused` ones, as the target accepts no such values.
    """

    rows: int
    sent: int
    extra: int
    deleted: int
    damaged: int
    refused: int
    is_complete: bool


def copy_rows(
    source: Collection,
    target: Collection,
    *,
    delete: bool = False,
    compare_all: bool = False,
    open_progress: OpenProgress = no_progress,
) -> CopyReport:
    """Make the target hold every row of the source, both of one model.

    Rows that the target has with the same content are not sent again, so a copy that was
    interrupted goes on where it was. With `delete`, rows that only the target has are deleted.
    Passes over all rows repeat until one finds nothing to do, so that writes to the source
    meanwhile are copied, too. That last pass compares ids, checksums, and the content of a sample
    or, with `compare_all`, of every row.
    """
    sent = deleted = 0
    for number in range(MAX_PASSES):
        rows = source.count()
        share = 1.0 if compare_all else min(1.0, SAMPLE_ROWS / max(1, rows))
        done = _Pass(source, target, delete=delete, share=share)
        with open_progress("verify" if number else "copy", rows) as progress:
            for low, high in id_ranges(rows):
                copied = done.copy_range(low, high)
                if progress is not None:
                    progress.update(copied)
        sent += done.sent
        deleted += done.deleted
        if not (done.sent or done.deleted):
            break
        target.finish_writes()
    is_complete = not (done.sent or done.deleted)
    return CopyReport(done.rows, sent, done.extra, deleted, done.damaged, done.refused, is_complete)


def id_ranges(rows: int, size: int = RANGE_ROWS) -> Iterator[tuple[int, int]]:
    """Yield ranges of ids, read as numbers, that hold about `size` of so many rows each.

    Together they hold every id: ids are hashes, and equal ranges hold about equally many.
    """
    count = 1 + rows // size
    yield from pairwise(ID_SPACE * number // count for number in range(count + 1))


def row_key(row: ImageRow, version: int) -> int:
    """Return the checksum that a row has in collections of a version of the schema."""
    entity = to_entity(row, version)
    embedding = entity.pop(EMBEDDING)
    return int(entity[CHECKSUM] if CHECKSUM in entity else row_checksum(entity, embedding))


class _Pass:
    """One pass over all rows, and its counts."""

    def __init__(
        self, source: Collection, target: Collection, *, delete: bool, share: float
    ) -> None:
        """Compare the content of a share of the rows that seem to be equal, 0..1."""
        self.rows = self.sent = self.extra = self.deleted = self.damaged = self.refused = 0
        self._source = source
        self._target = target
        self._delete = delete
        self._share = share
        self._version = target.info.schema_version
        self._batch_rows = max(1, BATCH_BYTES // (4 * source.info.model.dim))
        self._is_empty = not target.count()

    def copy_range(self, low: int, high: int) -> int:
        """Send the rows of a range of ids that the target lacks; return how many are in it."""
        condition = filters.id_range(low, high)
        present = {} if self._is_empty else self._keys(self._target, condition)
        if present:
            wanted = self._keys(self._source, condition)
            missing = [id_ for id_, key in wanted.items() if present.get(id_) != key]
            missing += self._find_different(wanted.keys() - set(missing))
        else:  # the ids alone do
            wanted = dict.fromkeys(
                (id_ for (id_,) in self._source.scan_values(["id"], condition)), 0
            )
            missing = list(wanted)
        self._send(missing)
        self._remove([id_ for id_ in present if id_ not in wanted])
        self.rows += len(wanted)
        return len(wanted)

    def _keys(self, collection: Collection, condition: str) -> dict[str, int]:
        """Return ids with checksums, computed if a collection stores none of the same fields."""
        version = collection.info.schema_version
        if version == self._version and CHECKSUM in stored_fields(version):
            return dict(collection.scan_values(["id", CHECKSUM], condition))
        keys = {id_: 0 for (id_,) in collection.scan_values(["id"], condition)}  # damaged rows, too
        for row in collection.scan_rows(condition):
            keys[row.record.id] = row_key(row, self._version)
        return keys

    def _find_different(self, ids: Set[str]) -> list[str]:
        """Return those of a sample of equal rows whose content differs nevertheless."""
        sample = random.sample(sorted(ids), math.ceil(self._share * len(ids)))
        different = []
        for batch in batches(sample, self._batch_rows):
            stored = self._target.get(batch)
            for id_, row in self._source.get(batch).items():
                key = row_key(row, self._version)
                if id_ not in stored or row_key(stored[id_], self._version) != key:
                    different.append(id_)
        return different

    def _send(self, ids: Sequence[str]) -> None:
        for batch in batches(ids, self._batch_rows):
            rows = list(self._source.get(batch).values())
            refused = write_rows(self._target, rows)
            self.sent += len(rows) - len(refused)
            self.refused += len(refused)
            self.damaged += len(batch) - len(rows)

    def _remove(self, extra: Sequence[str]) -> None:
        if self._delete:
            self._target.delete(extra)
            self.deleted += len(extra)
        else:
            self.extra += len(extra)
