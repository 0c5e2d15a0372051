"""What is new about some files, as a collection sees it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.files.discover import ImageFile
from clipsearch.files.load import HashedFile, Rejected, hash_file
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.images.hashing import image_id
from clipsearch.store import Collection
from clipsearch.types import Failure, ImageRecord
from ingest.prune import can_have_moved
from ingest.report import Tally
from ingest.stat_lookup import Stamps

LOOKUP = 512  # files a question to the store
AHEAD = 64  # files that are hashed ahead of it


class Known:
    """The collection's photos of one content, [] where it has none."""

    def __init__(self, records: Sequence[ImageRecord], roots: Sequence[Path]) -> None:
        self._records = records
        self._ids = {record.id for record in records}
        # Each is looked at once, however many files turn up with this content.
        self._moved = (record for record in records if can_have_moved(record.path, roots))

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._ids

    def __bool__(self) -> bool:
        return bool(self._records)

    @property
    def any_id(self) -> str:
        """The id of one of them."""
        return self._records[0].id

    def moved_from(self) -> ImageRecord | None:
        """The next one whose file is gone, if there is one left."""
        return next(self._moved, None)


class Changes:
    """The files that differ from what a collection holds, counted as they are found.

    `roots` are the folders among them; a collection of None is one that does not exist yet. What
    this remembers grows with what changed, not with what is there.
    """

    def __init__(
        self,
        files: Iterator[ImageFile | Failure],
        roots: Sequence[Path],
        collection: Collection | None,
        tally: Tally,
        progress: Progress | None = None,
    ) -> None:
        self._files = files
        self._collection = collection
        self._stamps = Stamps(collection)
        self._tally = tally
        self._progress = progress
        self._moved_from: set[str] = set()
        self.roots = roots
        self.outdated: set[str] = set()  # ids whose row is of older content than the file's

    def identified(self, pool: Pool) -> Iterator[HashedFile]:
        """Files that are new or changed, with the hash of their content."""
        for item in ordered(pool, hash_file, self._pending(), ahead=AHEAD):
            if isinstance(item, Rejected):
                self.fail(item.found.path, item.reason)
            else:
                yield item

    def known_content(self, items: Sequence[HashedFile]) -> dict[str, Known]:
        """What the collection has of each file's content, by content hash."""
        hashes = list({item.content_hash for item in items})
        records = self._collection.find_content(hashes) if self._collection else {}
        return {content: Known(records.get(content, []), self.roots) for content in hashes}

    def reuse(self, item: HashedFile, known: Known) -> str | None:
        """Count how a file came to have known content; the id of the old row where it was moved."""
        self.advance()
        if item.id in known:
            self._tally.unchanged += 1
            return None
        while old := known.moved_from():
            if old.id not in self._moved_from:
                self._moved_from.add(old.id)
                self._tally.moved += 1
                return old.id
        self._tally.copied += 1
        return None

    def fail(self, path: Path, reason: str) -> None:
        """Count a file that cannot be stored."""
        self._tally.failed.append(Failure(path, reason))
        self.advance()

    def advance(self) -> None:
        """Tell the progress bar that one more file is done."""
        if self._progress is not None:
            self._progress.update(1)

    def _pending(self) -> Iterator[ImageFile]:
        """Files that are new or have another size or date than their row: a stat each."""
        for group in batches(self._files, LOOKUP):
            found: dict[str, ImageFile] = {}
            for item in group:
                if isinstance(item, ImageFile):
                    found[image_id(item.path)] = item
                else:
                    self.fail(item.path, item.reason)
            stamps = self._stamps.of(list(found))
            for id_, item in found.items():
                stamp = stamps.get(id_)
                if stamp == (item.size, item.mtime_ns):
                    self._tally.unchanged += 1
                    self.advance()
                    continue
                if stamp:
                    self.outdated.add(id_)
                yield item
