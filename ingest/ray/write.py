"""The last stage: rows into the collection, by a worker or by the driver."""

import time
from collections.abc import Sequence

from clipsearch.images.hashing import image_id
from clipsearch.store import Collection
from clipsearch.types import Failure, ImageRow
from ingest.copies import StoredCopies, row_of_copy
from ingest.diff import Changes
from ingest.ray.items import Embedded, Item, Note
from ingest.ray.job import BulkTarget
from ingest.report import StageTime, Tally
from ingest.writer import Writer

WRITE = 1_024
"""Rows of one write."""


class Sink:
    """Writes items, as the pipeline of one process would: what is moved or copied keeps its tags.

    A batch that is written twice, as its first worker was killed, leaves the same rows.
    """

    def __init__(self, collection: Collection, changes: Changes, *, looked_up: bool) -> None:
        """`looked_up` tells that content which the collection knew has not been embedded again."""
        self._collection = collection
        self._changes = changes
        self._looked_up = looked_up

    def write(self, items: Sequence[Item], tally: Tally) -> None:
        """Write the rows of a batch, and count everything in it."""
        started = time.monotonic()
        embedded = [item for item in items if isinstance(item, Embedded)]
        writer = Writer(self._collection, tally, WRITE)
        copies = self._changes.stored_copies([file for item in embedded for file in item.files])
        known = [found.any_id for found in copies.values() if found]
        stored = self._collection.get(known) if known else {}
        for entry in embedded:
            found = copies[entry.files[0].content_hash]
            row = stored.get(found.any_id) if found else None
            self._add(entry, row, found, writer, tally)
        for item in items:
            if isinstance(item, Failure):
                tally.failed.append(item)
                if item.kind == "invalid":  # its row describes content that it no longer has
                    writer.remove(image_id(item.path))
            elif isinstance(item, Note):
                tally.note(item.outcomes, item.stages)
        writer.flush()
        if embedded:
            rows = sum(len(item.files) for item in embedded)
            tally.note({}, {"write": StageTime(rows, time.monotonic() - started)})

    def _add(
        self,
        item: Embedded,
        stored: ImageRow | None,
        found: StoredCopies,
        writer: Writer,
        tally: Tally,
    ) -> None:
        """Add the rows of the files of one content; `stored` is one that the collection has."""
        files = item.files
        if item.is_new and (stored is None or (self._looked_up and files[0].id in found)):
            writer.add(item.row, "stored")
            if item.truncated:
                tally.truncated.append(item.row.record.path)
            files = files[1:]
        source = stored or item.row
        for file in files:
            if self._changes.is_unchanged(file, found):
                tally.outcomes["unchanged"] += 1
            else:
                outcome, old_id = self._changes.classify(file, found)
                writer.add(row_of_copy(source, file), outcome, replaces=old_id)


def write_file(items: Sequence[Item], target: BulkTarget, tally: Tally) -> None:
    """Write the rows of a batch as one file for a bulk import, and count everything in it."""
    started = time.monotonic()
    rows = []
    for item in items:
        if isinstance(item, Embedded):
            first, *copies = item.files
            rows.append(item.row)
            rows += [row_of_copy(item.row, file) for file in copies]
            tally.outcomes["stored"] += 1
            tally.outcomes["copied"] += len(copies)
            if item.truncated:
                tally.truncated.append(first.file.path)
        elif isinstance(item, Failure):
            tally.failed.append(item)
        elif isinstance(item, Note):
            tally.note(item.outcomes, item.stages)
    if rows:
        target.folder.write(rows, target.schema_version, target.run)
        tally.note({}, {"write": StageTime(len(rows), time.monotonic() - started)})
