"""Files whose content the collection has already, at another path or at the same one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clipsearch.files.load import HashedFile
from clipsearch.files.name_date import with_name_date
from clipsearch.records import ImageRecord
from clipsearch.types import ImageRow
from ingest.prune import can_have_moved


class StoredCopies:
    """The collection's images with one content; empty if it has none."""

    def __init__(self, records: Sequence[ImageRecord], roots: Sequence[Path]) -> None:
        self._records = records
        self._ids = {record.id for record in records}
        # Lazy: each is examined once, however many new files have this content.
        self._moved = (record for record in records if can_have_moved(record.path, roots))

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._ids

    def __bool__(self) -> bool:
        return bool(self._records)

    def has_metadata_of(self, file: HashedFile) -> bool:
        """Whether the row of a file has what its source says about it, if that says anything."""
        given = file.file.metadata
        return not given or any(r.id == file.id and r.metadata == given for r in self._records)

    @property
    def any_id(self) -> str:
        """The id of one of them."""
        return self._records[0].id

    def next_moved(self) -> ImageRecord | None:
        """The next one whose file has gone, or None."""
        return next(self._moved, None)


def row_of_copy(source: ImageRow, file: HashedFile) -> ImageRow:
    """Return the row of a file that has the content of a stored image, without embedding it."""
    record = replace(
        source.record,
        id=file.id,
        path=file.file.path,
        size=file.file.size,
        mtime_ns=file.file.mtime_ns,
        metadata=file.file.metadata,
    )
    return ImageRow(with_name_date(record), source.embedding)
