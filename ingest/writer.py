"""Write rows to the store, a batch at a time."""

from clipsearch.store import Collection
from clipsearch.types import ImageRow
from ingest.report import Outcome, Tally


class Writer:
    """Buffers rows and deletions; if the process is killed, only the buffer is lost.

    A row that replaces another one (of a moved file) is written before the old row is deleted: in
    between both exist, never neither. An outcome counts once its row is written.
    """

    def __init__(self, collection: Collection, tally: Tally, size: int) -> None:
        """Write to `collection` whenever `size` rows are buffered, and count them in `tally`."""
        self._collection = collection
        self._tally = tally
        self._size = size
        self._rows: list[ImageRow] = []
        self._outcomes: list[Outcome] = []
        self._deletions: list[str] = []
        self._recent: dict[str, ImageRow] = {}  # by content hash

    def add(self, row: ImageRow, outcome: Outcome, *, replaces: str | None = None) -> None:
        """Write a row with the next batch, then delete the row with the id that it replaces."""
        self._rows.append(row)
        self._outcomes.append(outcome)
        self._recent[row.record.content_hash] = row
        if replaces is not None:
            self._deletions.append(replaces)
        if len(self._rows) >= self._size:
            self.flush()

    def remove(self, image_id: str) -> None:
        """Delete a row with the next batch."""
        self._deletions.append(image_id)

    def recent_row(self, content_hash: str) -> ImageRow | None:
        """A row with this content that was added since the last `forget_written`, or None."""
        return self._recent.get(content_hash)

    def forget_written(self) -> None:
        """Keep recent rows only while they are buffered; a query to the store finds the others."""
        self._recent = {row.record.content_hash: row for row in self._rows}

    def flush(self) -> None:
        """Write and delete what is buffered."""
        if self._rows:
            self._collection.upsert(self._rows)
            self._tally.outcomes.update(self._outcomes)
            self._rows, self._outcomes = [], []
        if self._deletions:
            self._collection.delete(self._deletions)
            self._deletions = []
