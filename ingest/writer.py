"""Rows on their way to the store, a batch at a time."""

from clipsearch.store import Collection
from clipsearch.types import ImageRow


class Writer:
    """Buffers rows and deletions; a kill loses what is buffered and nothing else.

    A row that replaces another (a moved file's) is written before the old one goes: in between both
    are there, never neither.
    """

    def __init__(self, collection: Collection, size: int) -> None:
        self._collection = collection
        self._size = size
        self._rows: dict[str, ImageRow] = {}
        self._recent: dict[str, ImageRow] = {}  # by content
        self._gone: list[str] = []

    def add(self, row: ImageRow, *, replaces: str | None = None) -> None:
        """Write a row, soon, and afterwards delete the row of the id that it replaces."""
        self._rows[row.record.id] = row
        self._recent[row.record.content_hash] = row
        if replaces is not None:
            self._gone.append(replaces)
        if len(self._rows) >= self._size:
            self.flush()

    def remove(self, image_id: str) -> None:
        """Delete a row, soon."""
        self._gone.append(image_id)

    def with_content(self, content_hash: str) -> ImageRow | None:
        """A row of that content that was added since the store was last asked."""
        return self._recent.get(content_hash)

    def store_is_asked(self) -> None:
        """Remember no row any more but those that the store cannot know yet."""
        self._recent = {row.record.content_hash: row for row in self._rows.values()}

    def flush(self) -> None:
        """Write and delete what is buffered."""
        if self._rows:
            self._collection.upsert(list(self._rows.values()))
        if self._gone:
            self._collection.delete(self._gone)
        self._rows, self._gone = {}, []
