"""The ingestion pipeline: find, hash, reuse or decode, encode, write, as one stream.

The caller's thread talks to the store. Other threads hash and decode a bounded number of files
ahead of it, and one more keeps the encoder busy.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from clipsearch.batching import batches
from clipsearch.errors import ZeroVectorError
from clipsearch.files.embed import ZERO_VECTOR
from clipsearch.files.load import HashedFile, LoadedImage, load_image
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.images.decoder_pool import stop_decoders
from clipsearch.images.hashing import image_id
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels, make_room_for_decoding
from clipsearch.store import Collection
from clipsearch.types import Failure, ImageRow, Vectors
from clipsearch.vectors import normalize
from ingest.copies import StoredCopies, row_of_copy
from ingest.diff import LOOKUP, Changes
from ingest.options import IngestOptions
from ingest.report import IngestReport, Tally
from ingest.run import ingest_with
from ingest.sources.source import Source
from ingest.writer import Writer

log = logging.getLogger("clipsearch")

WRITE = 256
"""Rows per write: the most that is lost if the process is killed."""

LOOKUP_UNIT = 1 << 17
"""Bytes of a file that count as one more file of a lookup group. So at most 64 MB are hashed but
not yet decoded, which the operating system still has in its page cache."""


def ingest(
    source: Source,
    collection: Collection,
    encoder: Encoder,
    options: IngestOptions,
    progress: Progress | None = None,
    tally: Tally | None = None,
) -> IngestReport:
    """Embed and store the images of a source that are new or changed.

    Rows are written in batches. If the run is interrupted, written rows stay and the next run
    continues from there. A file that cannot be stored is in the report and never stops the others.
    `tally` counts while the run proceeds.
    """

    def run(changes: Changes, tally: Tally) -> None:
        Ingestion(changes, collection, encoder, tally, options.max_pixels).run()

    return ingest_with(run, source, collection, options, progress, tally)


class Ingestion:
    """The stream from changed files to rows."""

    def __init__(
        self,
        changes: Changes,
        collection: Collection,
        encoder: Encoder,
        tally: Tally,
        max_pixels: int,
    ) -> None:
        self._changes = changes
        self._collection = collection
        self._tally = tally
        self._encoder = encoder
        self._max_pixels = max_pixels
        self._writer = Writer(collection, tally, WRITE, changes.outdated)
        # Content that is being embedded → other files with it, which wait for the vector.
        self._twins: dict[str, list[HashedFile]] = {}
        self._has_room = False
        self._orphans: list[HashedFile] = []  # twins of a file that could not be read again

    def run(self) -> None:
        """Store everything that changed; on an exception, write the rows that are ready."""
        try:
            # Hashing has its own threads; otherwise it would wait behind the decoding.
            with (
                Pool(threads=1) as hashing,
                Pool() as decoding,
                Pool(threads=1, max_threads=1) as encoding,
            ):
                try:
                    files = self._changes.hashed(hashing)
                    self._store(self._accept(files), decoding, encoding)
                    while self._orphans:
                        orphans, self._orphans = self._orphans, []
                        self._store(orphans, decoding, encoding)
                finally:
                    stop_decoders()  # after an exception, the pools would wait for them
        except BaseException:
            try:
                self._writer.flush()
            except Exception as error:  # noqa: BLE001 - the first exception must reach the caller
                log.warning("rows that were ready could not be written: %s", error)
            raise
        self._writer.flush()

    def _accept(self, files: Iterable[HashedFile | Failure]) -> Iterator[HashedFile]:
        for file in files:
            if isinstance(file, Failure):
                self._fail(file)
            else:
                yield file

    def _store(self, files: Iterable[HashedFile], decoding: Pool, encoding: Pool) -> None:
        loaded = ordered(decoding, self._load, self._without_vector(files), ahead=2 * BATCH)
        # The first batch holds one image: it warms the model up while others are decoded.
        images = batches(self._images(loaded), BATCH, first=1)
        # While one batch is encoded, this thread gathers the next one and writes the previous one.
        for batch, vectors in ordered(encoding, self._encode, images, ahead=2):
            for (file, image), vector in zip(batch, vectors, strict=True):
                try:
                    row = ImageRow(image.record, normalize(vector))
                except ZeroVectorError:
                    self._reject(file, Failure(file.file.path, ZERO_VECTOR, "invalid"))
                    continue
                self._writer.add(row, "stored")
                if image.truncated:
                    self._tally.truncated.append(row.record.path)
                self._changes.advance()
                for twin in self._twins.pop(file.content_hash):
                    self._reuse(twin, row, StoredCopies([], []))

    def _load(self, file: HashedFile) -> tuple[HashedFile, LoadedImage | Failure]:
        return file, load_image(file, encoder=self._encoder, max_pixels=self._max_pixels)

    def _encode(
        self, batch: Sequence[tuple[HashedFile, LoadedImage]]
    ) -> tuple[Sequence[tuple[HashedFile, LoadedImage]], Vectors]:
        return batch, encode_pixels(self._encoder, [image.pixels for _, image in batch])

    def _without_vector(self, files: Iterable[HashedFile]) -> Iterator[HashedFile]:
        """Yield files whose content has no vector yet; write the rows of the others."""
        for group in batches(files, LOOKUP, weigh=lambda file: 1 + file.size // LOOKUP_UNIT):
            self._writer.forget_written()
            contents = self._changes.stored_copies(group)
            stored = self._collection.get([copies.any_id for copies in contents.values() if copies])
            for file in group:
                copies = contents[file.content_hash]
                if file.content_hash in self._twins:
                    self._twins[file.content_hash].append(replace(file, content=None))
                elif (row := self._writer.recent_row(file.content_hash)) or (
                    copies and (row := stored.get(copies.any_id))
                ):
                    self._reuse(file, row, copies)
                else:
                    self._twins[file.content_hash] = []
                    if not self._has_room:  # not before there is anything to decode
                        make_room_for_decoding(self._encoder)
                        self._has_room = True
                    yield file

    def _images(
        self, results: Iterable[tuple[HashedFile, LoadedImage | Failure]]
    ) -> Iterator[tuple[HashedFile, LoadedImage]]:
        for file, result in results:
            if isinstance(result, LoadedImage):
                yield file, result
            elif result.kind == "invalid":
                self._reject(file, result)
            else:
                self._fail(result)
                self._orphans += self._twins.pop(file.content_hash)

    def _reuse(self, file: HashedFile, source: ImageRow, copies: StoredCopies) -> None:
        """Give a file the vector of another one with the same content."""
        if self._changes.is_unchanged(file, copies):
            self._tally.outcomes["unchanged"] += 1
            self._changes.advance()
            return
        outcome, old_id = self._changes.classify(file, copies)
        self._writer.add(row_of_copy(source, file), outcome, replaces=old_id)
        self._changes.advance()

    def _reject(self, file: HashedFile, failure: Failure) -> None:
        """Fail every file with content that is not a usable image."""
        for twin in (file, *self._twins.pop(file.content_hash)):
            state = self._changes.failures.state(twin.file)
            self._fail(replace(failure, path=twin.file.path, state=state))

    def _fail(self, failure: Failure) -> None:
        self._changes.fail(failure)
        if failure.kind == "invalid" and (id_ := image_id(failure.path)) in self._changes.outdated:
            self._writer.remove(id_)  # its row describes content that the file no longer has
