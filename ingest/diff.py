"""Find the files that differ from what a collection holds."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.load import HashedFile, hash_file
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.images.decode import MAX_PIXELS
from clipsearch.images.hashing import image_id
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.types import Failure
from ingest.known_failures import KnownFailures
from ingest.options import IngestOptions
from ingest.prune import can_have_moved
from ingest.report import Outcome, Tally
from ingest.stat_lookup import StatLookup

LOOKUP = 512  # files per query to the store
HASH_AHEAD = 64  # files hashed before they are needed


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

    @property
    def any_id(self) -> str:
        """The id of one of them."""
        return self._records[0].id

    def next_moved(self) -> ImageRecord | None:
        """The next one whose file has gone, or None."""
        return next(self._moved, None)


class Changes:
    """The new and changed files of a source, compared with a collection.

    A collection of None does not exist yet. Memory grows with the number of changed files, not with
    the size of the collection.
    """

    def __init__(
        self,
        source: FileSource,
        collection: Collection | None,
        options: IngestOptions,
        tally: Tally,
        progress: Progress | None = None,
    ) -> None:
        """Count unchanged and failed files in `tally`; advance `progress` per file."""
        self._source = source
        self._collection = collection
        self._states = StatLookup(collection)
        self._tally = tally
        self._progress = progress
        self._max_pixels = options.max_pixels
        self._rehash = options.rehash
        self._moved_from: set[str] = set()
        self.failures = KnownFailures(collection, limits=(options.max_pixels,))
        self.outdated: set[str] = set()
        """The ids whose row may describe older content than the file has now."""
        self.current: set[str] = set()
        """Those of them whose row has the size and mtime of the file: only with `rehash`."""

    def hashed(self, pool: Pool) -> Iterator[HashedFile | Failure]:
        """Yield files that are new or changed, with the hash of their content."""
        return ordered(pool, self._hash, self._pending(), ahead=HASH_AHEAD)

    def stored_copies(self, files: Sequence[HashedFile]) -> dict[str, StoredCopies]:
        """Look up the collection's images with each file's content, by content hash."""
        hashes = list({file.content_hash for file in files})
        records = self._collection.find_by_content(hashes) if self._collection else {}
        return {key: StoredCopies(records.get(key, []), self._source.roots) for key in hashes}

    def classify(self, file: HashedFile, copies: StoredCopies) -> tuple[Outcome, str | None]:
        """Tell how a file got its known content; if it moved, also the id of its old row."""
        if file.id in copies:
            return "unchanged", None
        while old := copies.next_moved():
            if old.id not in self._moved_from:
                self._moved_from.add(old.id)
                return "moved", old.id
        return "copied", None

    def fail(self, failure: Failure) -> None:
        """Count a file that cannot be stored."""
        self._tally.failed.append(failure)
        self.advance()

    def advance(self) -> None:
        """Advance the progress bar by one file."""
        if self._progress is not None:
            self._progress.update(1)

    def _hash(self, file: ImageFile) -> HashedFile | Failure:
        # Files beyond a smaller limit are hashed, as the collection may know their content.
        result = hash_file(file, max_pixels=max(MAX_PIXELS, self._max_pixels))
        if isinstance(result, Failure) and result.kind == "invalid":
            return replace(result, state=self.failures.state(file))
        return result

    def _pending(self) -> Iterator[ImageFile]:
        """Yield files without a row, or with another size or mtime than their row."""
        for group in batches(self._source, LOOKUP):
            files: dict[str, ImageFile] = {}
            for item in group:
                if isinstance(item, Failure):
                    self.fail(item)
                else:
                    files[image_id(item.path)] = item
            states = self._states.find(list(files))
            for id_, file in files.items():
                state = states.get(id_)
                is_current = state == (file.size, file.mtime_ns)
                if is_current and not self._rehash:
                    self._tally.outcomes["unchanged"] += 1
                    self.advance()
                    continue
                if state:
                    self.outdated.add(id_)
                    if is_current:
                        self.current.add(id_)
                elif not self._rehash and (failure := self.failures.find(id_, file)):
                    self.fail(failure)
                    continue
                yield file
