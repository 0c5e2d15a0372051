"""The pass that reads the text in stored images: find, load, decode and read, write.

The caller's thread talks to the store. Threads load a bounded number of files ahead of it, others
decode and read, as many at once as the reader can use cores.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from clipsearch.errors import ModelError
from clipsearch.files.discover import ImageFile
from clipsearch.files.load import HashedFile, decode_file, hash_file
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.images.decoder_pool import stop_decoders
from clipsearch.ocr.image_text import ImageText
from clipsearch.ocr.reader import TextReader
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.textness.probe import TextnessProbe
from clipsearch.types import Failure
from ingest.ocr.chosen_images import choose_images
from ingest.ocr.options import ReadOptions
from ingest.ocr.pending import find_pending
from ingest.ocr.priority import yield_to_others
from ingest.ocr.report import ReadReport, ReadTally
from ingest.ocr.stored_files import StoredFile, stored_files
from ingest.ocr.writer import TextWriter

log = logging.getLogger("clipsearch")

LOAD_AHEAD = 4
"""Files loaded ahead for each image that is read at once."""

MAX_BROKEN = 3
"""If reading fails so often and never works, the reader is to blame, not the images."""


@dataclass(frozen=True, slots=True)
class _Image:
    """An image to read; its file once it is loaded."""

    record: ImageRecord
    file: HashedFile | Failure


def read_images(
    present: Callable[[], Collection],
    reader: TextReader,
    paths: Sequence[Path],
    options: ReadOptions,
    probe: TextnessProbe | None,
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    strict: bool = True,
) -> ReadReport:
    """Read the images at or below some paths, or all, that have no text of their content yet.

    `present` returns the collection in the generation that is in use now. Texts are written in
    batches; if the run is interrupted, written texts stay and the next run continues from there.
    Raises ModelError if the reader does not work and, if `strict`, UsageError if no image is at a
    path.
    """
    started, tally = time.monotonic(), ReadTally()
    collection = present()
    chosen = choose_images(collection, paths, strict=strict)
    pending = find_pending(collection, chosen, reader.name, options, tally, probe)
    ids = pending.in_order()
    if options.limit is not None:
        tally.remaining = max(0, len(ids) - options.limit)
        ids = ids[: options.limit]
    if progress is not None:
        progress.total = len(ids)
    if dry_run:
        tally.read = len(ids)
    else:
        writer = TextWriter(present, tally)
        writer.delete_outdated(pending.outdated)
        _Pass(present, reader, writer, options, tally, progress).run(ids)
    return tally.report(reader=reader.name, seconds=time.monotonic() - started, dry_run=dry_run)


class _Pass:
    """The stream from ids to texts."""

    def __init__(
        self,
        present: Callable[[], Collection],
        reader: TextReader,
        writer: TextWriter,
        options: ReadOptions,
        tally: ReadTally,
        progress: Progress | None,
    ) -> None:
        self._present = present
        self._reader = reader
        self._writer = writer
        self._options = options
        self._tally = tally
        self._progress = progress
        # Content that is being read → other images with it, which wait for the text.
        self._twins: dict[str, list[StoredFile]] = {}
        self._orphans: list[StoredFile] = []  # twins of an image whose file could not be read
        self._broken = 0  # images at which the reader failed, until it works

    def run(self, ids: Iterable[bytes]) -> None:
        """Read the images with some ids; on an exception, write the texts that are ready."""
        most = max(1, self._reader.concurrency)
        try:
            # Loading has its own threads, as files may be far away.
            with Pool() as loading, Pool(threads=most, max_threads=most) as reading:
                try:
                    groups: Iterable[list[StoredFile]] = stored_files(self._present, ids)
                    self._read_groups(groups, loading, reading, most)
                    while self._orphans:
                        orphans, self._orphans = self._orphans, []
                        self._read_groups([orphans], loading, reading, most)
                finally:
                    stop_decoders()  # after an exception, the pools would wait for them
        except BaseException:
            try:
                self._writer.flush()
            except Exception as error:  # noqa: BLE001 - the first exception must reach the caller
                log.warning("texts that were ready could not be written: %s", error)
            log.warning(
                "stopped with %s images read; `clipsearch read` goes on from there",
                f"{self._tally.read:,}",
            )
            raise
        self._writer.flush()
        self._present().texts.flush()

    def _read_groups(
        self, groups: Iterable[list[StoredFile]], loading: Pool, reading: Pool, most: int
    ) -> None:
        loaded = ordered(loading, self._load, self._unread(groups), ahead=LOAD_AHEAD * most)
        for image, result in ordered(reading, self._read, loaded, ahead=2 * most):
            if isinstance(result, ImageText):
                self._finish(image.record, result)
            else:
                self._fail(image, result)

    def _unread(self, groups: Iterable[list[StoredFile]]) -> Iterator[StoredFile]:
        """Yield images whose content no other image of the run has; the others get its text."""
        for group in groups:
            texts = self._present().texts
            reader = self._reader.name if self._options.again else ""
            known = texts.find_by_content([record.content_hash for record, _ in group], reader)
            found = {content: row.text for content, row in known.items()} | self._writer.recent()
            for record, file in group:
                if isinstance(file, Failure):
                    self._writer.fail(file)
                    self._advance()
                elif (text := found.get(record.content_hash)) is not None:
                    self._writer.add(record, text, is_copy=True)
                    self._advance()
                elif record.content_hash in self._twins:
                    self._twins[record.content_hash].append((record, file))
                else:
                    self._twins[record.content_hash] = []
                    yield record, file

    def _load(self, item: StoredFile) -> _Image:
        record, file = item
        assert isinstance(file, ImageFile)  # see `_unread`
        return _Image(record, hash_file(file, max_pixels=self._options.max_pixels))

    def _read(self, image: _Image) -> tuple[_Image, ImageText | Failure | None]:
        """Decode and read an image; None if its file has other content than it had."""
        file = image.file
        if isinstance(file, Failure):
            return image, file
        if file.content_hash != image.record.content_hash:
            return image, None
        yield_to_others()
        path = image.record.path
        with ExitStack() as held:
            decoded = decode_file(file, max_pixels=self._options.max_pixels, held=held)
            if isinstance(decoded, Failure):
                return image, decoded
            try:
                text = self._reader.read(decoded.image)
            except MemoryError:
                return image, Failure(path, "not enough memory to read its text")
            except Exception as error:  # noqa: BLE001 - a reader's own code may raise anything
                self._note_broken(error)
                return image, Failure(path, f"its text cannot be read ({error})", "invalid")
        self._broken = -1
        return image, text

    def _note_broken(self, error: Exception) -> None:
        if self._broken >= 0:
            self._broken += 1
            if self._broken >= MAX_BROKEN:
                raise ModelError(f"{self._reader.name} does not work: {error}") from error

    def _finish(self, record: ImageRecord, text: ImageText) -> None:
        self._writer.add(record, text)
        self._advance()
        for twin, _ in self._twins.pop(record.content_hash):
            self._writer.add(twin, text, is_copy=True)
            self._advance()

    def _fail(self, image: _Image, failure: Failure | None) -> None:
        """Count an image without a text, and with it its twins if their content is the reason."""
        twins = self._twins.pop(image.record.content_hash)
        if failure is None:
            self._tally.changed += 1
        else:
            self._writer.fail(replace(failure, path=image.record.path))
        self._advance()
        if failure is None or failure.kind != "invalid":
            self._orphans += twins
            return
        for record, _ in twins:
            self._writer.fail(replace(failure, path=record.path))
            self._advance()

    def _advance(self) -> None:
        if self._progress is not None:
            self._progress.update(1)
