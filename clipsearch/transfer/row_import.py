"""Write imported rows to a collection: only what it lacks, and one bad row harms no other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipsearch.errors import RefusedRowsError, StoreError
from clipsearch.store import Collection, filters
from clipsearch.store.schema import CHECKSUM, stored_fields
from clipsearch.transfer.copy_rows import SAMPLE_ROWS, row_key
from clipsearch.transfer.row_writes import write_rows
from clipsearch.types import Failure, ImageRow

KEPT_FAILURES = 1_000


@dataclass(slots=True)
class ImportReport:
    """What became of the rows: each is counted once.

    `stored` rows are new, `replaced` ones had other content, `unchanged` ones were there already.
    `failures` are the first of the rows that `failed`. `normalized` counts the vectors that did
    not have length 1, `unused` the columns that cannot be kept.
    """

    stored: int = 0
    replaced: int = 0
    unchanged: int = 0
    failed: int = 0
    normalized: int = 0
    failures: list[Failure] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)

    def fail(self, file: Path, row: int, reason: str) -> None:
        """Count a row of a file that cannot be stored; rows count from 1."""
        self.failed += 1
        if len(self.failures) < KEPT_FAILURES:
            self.failures.append(Failure(file, f"row {row}: {reason}", "invalid"))


@dataclass(frozen=True, slots=True)
class NumberedRow:
    """A row, and its number in its file, from 1."""

    number: int
    row: ImageRow


class RowImport:
    """Writes batches of rows; `verify` reads a sample of them again."""

    def __init__(self, collection: Collection, report: ImportReport) -> None:
        """Count in `report`."""
        self._collection = collection
        self._report = report
        self._version = collection.info.schema_version
        self._sample: dict[str, int] = {}
        self._seen = 0

    def write(self, file: Path, rows: Sequence[NumberedRow]) -> None:
        """Write those rows of a file that the collection lacks or has with other content."""
        keys: dict[str, int] = {}
        numbered: dict[str, NumberedRow] = {}
        for item in rows:
            try:
                key = row_key(item.row, self._version)
            except RefusedRowsError as error:
                self._report.fail(file, item.number, str(error))
                continue
            if item.row.record.id in keys:  # the last one wins, as in a later batch
                self._report.replaced += 1
            keys[item.row.record.id] = key
            numbered[item.row.record.id] = item
        present = self._present(list(keys))
        changed = [id_ for id_, key in keys.items() if present.get(id_) != key]
        self._report.unchanged += len(keys) - len(changed)
        refused = write_rows(self._collection, [numbered[id_].row for id_ in changed])
        for id_, reason in refused.items():
            self._report.fail(file, numbered[id_].number, reason)
        written = [id_ for id_ in changed if id_ not in refused]
        replaced = sum(id_ in present for id_ in written)
        self._report.replaced += replaced
        self._report.stored += len(written) - replaced
        self._note({id_: key for id_, key in keys.items() if id_ not in refused})

    def verify(self) -> None:
        """Raise StoreError unless the collection has a sample of the rows as they were given."""
        stored = self._collection.get(list(self._sample))
        wrong = sum(
            id_ not in stored or row_key(stored[id_], self._version) != key
            for id_, key in self._sample.items()
        )
        if wrong:
            raise StoreError(
                f"{wrong:,} of {len(self._sample):,} imported rows that were read again differ: "
                "run the same command again, and see `clipsearch check`"
            )

    def _present(self, ids: list[str]) -> dict[str, int]:
        """Return the checksums of those of some ids that the collection has."""
        if not ids:
            return {}
        if CHECKSUM in stored_fields(self._version):
            return dict(self._collection.scan_values(["id", CHECKSUM], filters.id_in(ids)))
        rows = self._collection.get(ids).values()
        return {row.record.id: row_key(row, self._version) for row in rows}

    def _note(self, keys: dict[str, int]) -> None:
        """Keep a random sample of all rows (reservoir sampling), with their last content."""
        for id_, key in keys.items():
            self._seen += 1
            if id_ in self._sample or len(self._sample) < SAMPLE_ROWS:
                self._sample[id_] = key
            elif random.randrange(self._seen) < SAMPLE_ROWS:
                del self._sample[random.choice(tuple(self._sample))]
                self._sample[id_] = key
