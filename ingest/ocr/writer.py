"""Write texts to the store, a batch at a time, while other processes write, too."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.errors import RefusedRowsError
from clipsearch.images.hashing import image_id
from clipsearch.ocr.image_text import ImageText
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.store.paging import KEYS
from clipsearch.store.texts import TextRow
from clipsearch.store.texts.schema import cut
from clipsearch.transfer.outdated_texts import outdated
from clipsearch.types import Failure
from ingest.ocr.report import ReadTally

WRITE_ROWS = 64
WRITE_SECONDS = 2.0
"""A kill loses at most so many texts, or the texts of so many seconds."""


@dataclass(frozen=True, slots=True)
class _Write:
    path: Path
    row: TextRow
    is_copy: bool


class TextWriter:
    """Buffers texts and failures. An outcome counts once its row is written.

    Before each write, the present rows of the images are compared: a text is written only if its
    image is still there, with the content that was read. Other processes may write in between.
    """

    def __init__(self, present: Callable[[], Collection], tally: ReadTally) -> None:
        """`present` returns the collection in the generation that is in use now."""
        self._present = present
        self._tally = tally
        self._writes: list[_Write] = []
        self._failures: list[Failure] = []
        self._known: set[Path] | None = None  # that failed before
        self._flushed = time.monotonic()

    def add(self, record: ImageRecord, text: ImageText, *, is_copy: bool = False) -> None:
        """Write the text of an image with the next batch."""
        row = TextRow(record.id, record.content_hash, text)
        self._writes.append(_Write(record.path, row, is_copy))
        self._flush_if_due()

    def fail(self, failure: Failure) -> None:
        """Remember with the next batch that an image could not be read."""
        self._tally.failed.append(failure)
        self._failures.append(failure)
        self._flush_if_due()

    def recent(self) -> dict[str, ImageText]:
        """Return the texts that are not written yet, by content hash."""
        return {write.row.content_hash: write.row.text for write in self._writes}

    def flush(self) -> None:
        """Write what is buffered."""
        self._flushed = time.monotonic()
        if not (self._writes or self._failures):
            return
        texts = self._present().texts
        with texts.turn():
            self._write()

    def delete_outdated(self, ids: Sequence[str]) -> None:
        """Delete those of these texts whose image is gone, or has other content by now."""
        texts = self._present().texts
        for batch in batches(ids, KEYS):
            with texts.turn():  # others may have written since the ids were found
                files = self._present().file_states(batch)
                contents = {id_: state.content_hash for id_, state in files.items()}
                present = outdated(contents, texts.states(batch).values())
                texts.delete(present)
            self._tally.removed += len(present)

    def _flush_if_due(self) -> None:
        is_late = time.monotonic() - self._flushed > WRITE_SECONDS
        if is_late or len(self._writes) + len(self._failures) >= WRITE_ROWS:
            self.flush()

    def _write(self) -> None:
        collection = self._present()  # within the turn: no other process changes it now
        failures = {image_id(failure.path): failure for failure in self._failures}
        ids = [write.row.id for write in self._writes]
        states = collection.file_states([*ids, *failures])
        current = [
            write
            for write in self._writes
            if (state := states.get(write.row.id)) and state.content_hash == write.row.content_hash
        ]
        present = sum(write.row.id in states for write in self._writes)
        self._tally.changed += present - len(current)  # the others were deleted
        refused = _upsert(collection, current)
        self._writes = []
        self._tally.failed += refused
        if self._known is None:
            self._known = {failure.path for failure in collection.texts.failures()}
        # Nothing of an image that was removed meanwhile may be kept, also not its path.
        still_there = [failure for id_, failure in failures.items() if id_ in states]
        collection.texts.add_failures([*refused, *still_there])
        self._failures = []
        failed = {failure.path for failure in refused}
        written = [write for write in current if write.path not in failed]
        again = [write.path for write in written if write.path in self._known]
        collection.texts.remove_failures(again)
        for write in written:
            self._count(write)

    def _count(self, write: _Write) -> None:
        text = write.row.text
        if write.is_copy:
            self._tally.copied += 1
            return
        self._tally.read += 1
        self._tally.with_text += bool(text.lines)
        self._tally.cut += cut(text) is not text


def _upsert(collection: Collection, writes: Sequence[_Write]) -> list[Failure]:
    """Write rows, and halves of them if they are refused; return those that stay alone."""
    try:
        collection.texts.upsert([write.row for write in writes])
    except RefusedRowsError as error:
        if len(writes) == 1:
            return [Failure(writes[0].path, f"its text cannot be stored: {error}", "invalid")]
        middle = len(writes) // 2
        return _upsert(collection, writes[:middle]) + _upsert(collection, writes[middle:])
    return []
