"""Find the files that differ from what a collection holds."""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Self

from clipsearch.batching import batches
from clipsearch.files.discover import ImageFile
from clipsearch.files.load import HashedFile, hash_file
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.images.decode import MAX_PIXELS
from clipsearch.images.hashing import image_id
from clipsearch.locations.content import IN_MEMORY, Held
from clipsearch.store import Collection
from clipsearch.store.schema import METADATA, record_fields
from clipsearch.types import Failure
from ingest.copies import StoredCopies
from ingest.known_failures import KnownFailures
from ingest.options import IngestOptions
from ingest.report import Outcome, Tally
from ingest.sources.item import Item, UnchangedArchive
from ingest.sources.source import Images
from ingest.stat_lookup import StatLookup

LOOKUP = 512  # files per query to the store
HASH_AHEAD = 64  # files hashed before they are needed
HELD_UNIT = 1 << 16  # bytes in memory that count as one more file of a lookup


class Changes:
    """The new and changed files of a source, compared with a collection.

    A collection of None does not exist yet. Memory grows with the number of changed files, not with
    the size of the collection.
    """

    def __init__(
        self,
        source: Images,
        collection: Collection | None,
        options: IngestOptions,
        tally: Tally,
        progress: Progress | None = None,
        *,
        states: StatLookup | None = None,
        failures: KnownFailures | None = None,
    ) -> None:
        """Count unchanged and failed files in `tally`; advance `progress` per file.

        `states` and `failures` are what another process has read of the collection.
        """
        self._files: Iterable[Item] = source
        self._roots = source.roots
        self._collection = collection
        self._states = states or StatLookup(collection)
        self._tally = tally
        self._progress = progress
        self._max_pixels = options.max_pixels
        self._rehash = options.rehash
        self._has_metadata = collection is None or (
            METADATA in record_fields(collection.info.schema_version)
        )
        self._moved_from: set[str] = set()
        self.failures = failures or KnownFailures(
            collection.failures() if collection else [], limits=(options.max_pixels,)
        )
        self.outdated: set[str] = set()
        """The ids whose row may describe older content than the file has now."""
        self.current: set[str] = set()
        """Those of them whose row has the size and mtime of the file: only with `rehash`."""

    def of(self, files: Iterable[Item], tally: Tally) -> Self:
        """Return the changes among other files, counted in `tally`.

        Both share what was read of the collection and which files have moved.
        """
        other = copy(self)
        other._files, other._tally, other._progress = files, tally, None
        other.outdated, other.current = set(), set()
        return other

    def hashed(self, pool: Pool) -> Iterator[HashedFile | Failure]:
        """Yield files that are new or changed, with the hash of their content."""
        return ordered(pool, self._hash, self.pending(), ahead=HASH_AHEAD)

    def stored_copies(self, files: Sequence[HashedFile]) -> dict[str, StoredCopies]:
        """Look up the collection's images with each file's content, by content hash."""
        hashes = list({file.content_hash for file in files})
        records = self._collection.find_by_content(hashes) if self._collection else {}
        return {key: StoredCopies(records.get(key, []), self._roots) for key in hashes}

    def classify(self, file: HashedFile, copies: StoredCopies) -> tuple[Outcome, str | None]:
        """Tell how a file got its known content; if it moved, also the id of its old row."""
        if file.id in copies:
            return "unchanged", None
        while old := copies.next_moved():
            if old.id not in self._moved_from:
                self._moved_from.add(old.id)
                return "moved", old.id
        return "copied", None

    def is_unchanged(self, file: HashedFile, copies: StoredCopies) -> bool:
        """Tell whether the row of a file with known content need not be written again."""
        return (
            file.id in copies
            and file.id in self.current
            and not file.file.recheck
            and (not self._has_metadata or copies.has_metadata_of(file))
        )

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

    def pending(self) -> Iterator[ImageFile]:
        """Yield files without a row, or with another size or mtime than their row."""
        for group in batches(self._files, LOOKUP, weigh=_weight):
            files: dict[str, ImageFile] = {}
            for item in group:
                if isinstance(item, ImageFile):
                    files[image_id(item.path)] = item
                elif isinstance(item, Failure):
                    self.fail(item)
                else:
                    self._skip(item)
            states = self._states.find(list(files))
            for id_, file in files.items():
                state = states.get(id_)
                is_current = state == (file.size, file.mtime_ns)
                rehash = self._rehash or file.recheck
                if is_current and not rehash:
                    self._tally.outcomes["unchanged"] += 1
                    self.advance()
                    continue
                if state:
                    self.outdated.add(id_)
                    if is_current:
                        self.current.add(id_)
                elif not rehash and (failure := self.failures.find(id_, file)):
                    self.fail(failure)
                    continue
                yield file

    def _skip(self, archive: UnchangedArchive) -> None:
        """Count the images of an archive that was not read, and its failures of before."""
        failures = self.failures.within(archive.path)
        self._tally.failed += failures
        self._tally.outcomes["unchanged"] += archive.images - len(failures)


def _weight(item: Item) -> int:
    """Count content that is held in memory as several files."""
    if isinstance(item, ImageFile) and isinstance(item.origin, Held):
        return 1 + min(item.size, IN_MEMORY) // HELD_UNIT
    return 1
