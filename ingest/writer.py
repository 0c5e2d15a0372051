"""Write rows to the store, a batch at a time."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from clipsearch.errors import RefusedRowsError
from clipsearch.store import Collection
from clipsearch.types import Failure, ImageRow
from ingest.report import Outcome, Tally

MAX_REFUSED = 3
"""If a write refuses so many rows and accepts none, the store is to blame, not the rows."""


@dataclass(frozen=True, slots=True)
class _Write:
    """A row to write, what it counts as, and the id of a row to delete once it is written."""

    row: ImageRow
    outcome: Outcome
    replaces: str | None


class Writer:
    """Buffers rows and deletions; if the process is killed, only the buffer is lost.

    A row that replaces another one (of a moved file) is written before the old row is deleted: in
    between both exist, never neither. An outcome counts once its row is written. A row that the
    store refuses counts as failed, and never stops the others.

    The text that was read in an image follows its content before the rows are written: a kill
    leaves at most a text that no row matches.
    """

    def __init__(
        self,
        collection: Collection,
        tally: Tally,
        size: int,
        outdated: Set[str] = frozenset(),
    ) -> None:
        """Write to `collection` whenever `size` rows are buffered, and count them in `tally`.

        `outdated` are the ids of rows that may describe earlier content of their file.
        """
        self._collection = collection
        self._outdated = outdated
        self._tally = tally
        self._size = size
        self._writes: list[_Write] = []
        self._deletions: list[str] = []
        self._recent: dict[str, ImageRow] = {}  # by content hash

    def add(self, row: ImageRow, outcome: Outcome, *, replaces: str | None = None) -> None:
        """Write a row with the next batch, then delete the row with the id that it replaces."""
        self._writes.append(_Write(row, outcome, replaces))
        self._recent[row.record.content_hash] = row
        if len(self._writes) >= self._size:
            self.flush()

    def remove(self, image_id: str) -> None:
        """Delete a row with the next batch."""
        self._deletions.append(image_id)

    def recent_row(self, content_hash: str) -> ImageRow | None:
        """A row with this content that was added since the last `forget_written`, or None."""
        return self._recent.get(content_hash)

    def forget_written(self) -> None:
        """Keep recent rows only while they are buffered; a query to the store finds the others."""
        rows = (write.row for write in self._writes)
        self._recent = {row.record.content_hash: row for row in rows}

    def flush(self) -> None:
        """Write and delete what is buffered."""
        if self._writes:
            if contents := self._known_contents():
                self._collection.texts.follow(contents)
            refused: list[tuple[_Write, RefusedRowsError]] = []
            accepted = 0
            for writes, error in self._upsert(tuple(self._writes)):
                del self._writes[: len(writes)]  # parts come in order
                if error is None:
                    accepted += len(writes)
                    self._tally.outcomes.update(write.outcome for write in writes)
                    self._deletions += [write.replaces for write in writes if write.replaces]
                else:
                    refused.append((writes[0], error))
                    if not accepted and len(refused) >= MAX_REFUSED:
                        raise error
            for write, error in refused:
                self._refuse(write, error)
        if self._deletions:
            self._collection.delete(self._deletions)
            self._deletions = []

    def _known_contents(self) -> dict[str, str]:
        """Return the content hashes, by id, of images that may have a text, or take one over."""
        records = (
            write.row.record
            for write in self._writes
            if write.outcome != "stored" or write.row.record.id in self._outdated
        )
        return {record.id: record.content_hash for record in records}

    def _upsert(
        self, writes: Sequence[_Write]
    ) -> Iterator[tuple[Sequence[_Write], RefusedRowsError | None]]:
        """Write rows, and halves of them if they are refused: yield each part with its error."""
        try:
            self._collection.upsert([write.row for write in writes])
        except RefusedRowsError as error:
            if len(writes) == 1:
                yield writes, error
                return
            middle = len(writes) // 2
            yield from self._upsert(writes[:middle])
            yield from self._upsert(writes[middle:])
        else:
            yield writes, None

    def _refuse(self, write: _Write, error: RefusedRowsError) -> None:
        """Count a row as failed, and delete an older row of the file: its content has changed."""
        record = write.row.record
        self._tally.failed.append(Failure(record.path, f"cannot be stored: {error}", "invalid"))
        self._deletions.append(record.id)
