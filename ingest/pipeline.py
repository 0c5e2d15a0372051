"""The ingestion: find → known? → identify → reuse or load → encode → write, as one stream.

One thread, the caller's, talks to the store; others hash and decode a bounded number of files ahead
of it, and one more keeps the encoder busy meanwhile.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.errors import ZeroVectorError
from clipsearch.files.discover import count, find, roots
from clipsearch.files.load import HashedFile, LoadedImage, NotAnImage, Unsettled, load
from clipsearch.files.paths import canonical
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.files.walk import FileSelection
from clipsearch.images.decode import MAX_PIXELS
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, encode_pixels
from clipsearch.store import Collection
from clipsearch.types import ImageRow, Vectors
from clipsearch.vectors import normalize
from ingest.diff import LOOKUP, Changes, Known
from ingest.failures import forget_failures
from ingest.prune import find_gone
from ingest.report import IngestReport, Tally
from ingest.writer import Writer

log = logging.getLogger("clipsearch")

WRITE = 256  # rows a write: what a kill can lose
PIECE = 1 << 17
"""Bytes of a file for which it counts once more when the store is asked for many at a time: what was
hashed and is not decoded yet stays below 64 MB, which the system still has in memory."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest.

    `prune`: remove rows of files that are gone from the given folders; `force`: even if most are.
    `max_pixels`: larger pictures fail, before they are decoded. `strict`: a path that does not exist
    is a UsageError, for paths that somebody typed; else one more failure, for lists of a program.
    """

    selection: FileSelection = field(default_factory=FileSelection)
    prune: bool = False
    force: bool = False
    max_pixels: int = MAX_PIXELS
    strict: bool = True


def ingest(
    paths: Sequence[Path],
    collection: Collection,
    encoder: Encoder,
    options: IngestOptions,
    progress: Progress | None = None,
) -> IngestReport:
    """Embed and store the pictures under some paths that are new or changed.

    Rows are written as it goes: whatever ends it early, what was written stays and the next run goes
    on from there. Raises UsageError on a path that does not exist, before anything is written. Files
    that cannot be stored are in the report and never stop the others.
    """
    tally, started = Tally(), time.monotonic()
    files = find(paths, options.selection, strict=options.strict)
    changes = Changes(files, roots(paths), collection, tally, progress)
    if progress is not None:
        _count_in_background(paths, options.selection, progress)
    collection.add_roots(changes.roots)
    try:
        Ingestion(changes, collection, encoder, tally, options.max_pixels).run()
    except BaseException:
        log.warning("stopped with %s stored; the next run goes on from there", f"{tally.stored:,}")
        raise
    else:
        forget_failures(collection, [*changes.roots, *map(canonical, paths)])
    finally:
        collection.record_failures(tally.failed)
        collection.settle()
    if options.prune:
        gone = find_gone(collection, changes.roots, force=options.force)
        collection.delete(gone.ids)
        tally.removed, tally.refused = len(gone.ids), gone.refusals
        collection.settle()
    return tally.report(seconds=time.monotonic() - started, dry_run=False)


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
        self._encoder = encoder
        self._tally = tally
        self._load = partial(load, encoder=encoder, max_pixels=max_pixels)
        self._writer = Writer(collection, WRITE)
        # Content that is being embedded → the other files that have it and wait for its vector.
        self._twins: dict[str, list[HashedFile]] = {}
        self._orphans: list[HashedFile] = []

    def run(self) -> None:
        """Store everything that changed; what is finished gets written even on an exception."""
        try:
            # Hashing has threads of its own, or it would wait behind the decoding of what it found.
            with (
                Pool(threads=1) as hashing,
                Pool() as decoding,
                Pool(threads=1, most=1) as encoding,
            ):
                self._store(self._changes.identified(hashing), decoding, encoding)
                while self._orphans:
                    orphans, self._orphans = self._orphans, []
                    self._store(orphans, decoding, encoding)
        finally:
            self._writer.flush()

    def _store(self, items: Iterable[HashedFile], decoding: Pool, encoding: Pool) -> None:
        loaded = ordered(decoding, self._load, self._without_vector(items), ahead=2 * BATCH)
        # The first one by itself: a model gets ready with it, while others are being decoded.
        pictures = batches(self._images(loaded), BATCH, first=1)
        # While one batch is encoded, this thread gathers the next one and writes the one before.
        for batch, vectors in ordered(encoding, self._encode, pictures, ahead=2):
            for item, vector in zip(batch, vectors, strict=True):
                try:
                    row = ImageRow(item.record, normalize(vector))
                except ZeroVectorError:
                    self._reject(NotAnImage(item.item, "the model returned no direction for it"))
                    continue
                self._writer.add(row)
                self._tally.stored += 1
                self._changes.advance()
                for twin in self._twins.pop(item.record.content_hash):
                    self._reuse(twin, row, Known([], []))

    def _encode(self, batch: Sequence[LoadedImage]) -> tuple[Sequence[LoadedImage], Vectors]:
        return batch, encode_pixels(self._encoder, [item.pixels for item in batch])

    def _without_vector(self, items: Iterable[HashedFile]) -> Iterator[HashedFile]:
        """Files whose content has no vector yet; the others get their rows here."""
        for group in batches(items, LOOKUP, weigh=lambda item: 1 + item.found.size // PIECE):
            self._writer.store_is_asked()
            contents = self._changes.known_content(group)
            stored = self._collection.get([known.any_id for known in contents.values() if known])
            for item in group:
                known = contents[item.content_hash]
                if item.content_hash in self._twins:
                    self._twins[item.content_hash].append(item)
                elif (row := self._writer.with_content(item.content_hash)) or (
                    known and (row := stored.get(known.any_id))
                ):
                    self._reuse(item, row, known)
                else:
                    self._twins[item.content_hash] = []
                    yield item

    def _images(
        self, loaded: Iterable[LoadedImage | NotAnImage | Unsettled]
    ) -> Iterator[LoadedImage]:
        for item in loaded:
            if isinstance(item, LoadedImage):
                yield item
            elif isinstance(item, NotAnImage):
                self._reject(item)
            else:
                self._changes.fail(item.item.found.path, item.reason)
                self._orphans += self._twins.pop(item.item.content_hash)

    def _reuse(self, item: HashedFile, source: ImageRow, known: Known) -> None:
        """Give a file the vector of another one with the same content."""
        record = replace(
            source.record,
            id=item.id,
            path=item.found.path,
            size=item.found.size,
            mtime_ns=item.found.mtime_ns,
        )
        old = self._changes.reuse(item, known)
        self._writer.add(ImageRow(record, source.embedding), replaces=old)

    def _reject(self, bad: NotAnImage) -> None:
        for item in (bad.item, *self._twins.pop(bad.item.content_hash)):
            self._changes.fail(item.found.path, bad.reason)
            if item.id in self._changes.outdated:
                self._writer.remove(item.id)  # its row is of content that is no longer there


def _count_in_background(
    paths: Sequence[Path], selection: FileSelection, progress: Progress
) -> None:
    """Tell a progress bar the total as soon as the names are counted, and not wait for it."""

    def tell() -> None:
        progress.total = count(paths, selection)

    threading.Thread(target=tell, name="count", daemon=True).start()
