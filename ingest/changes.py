"""What is new about some files, as a collection sees it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from clipsearch.batches import batches
from clipsearch.identity import photo_id
from clipsearch.store import Collection, Failure
from clipsearch.types import Photo
from ingest.files import Found
from ingest.prune import can_have_moved
from ingest.report import Tally
from ingest.stamps import Stamps
from ingest.steps import Identified, Rejected, identify
from ingest.walk import Problem
from ingest.workers import Pool, ordered

LOOKUP = 512  # files a question to the store
AHEAD = 64  # files that are hashed ahead of it


class Progress(Protocol):
    """What a progress bar must do; tqdm's does."""

    total: float | None

    def update(self, n: float) -> object: ...


class Known:
    """The collection's photos of one content, [] where it has none."""

    def __init__(self, photos: Sequence[Photo], roots: Sequence[Path]) -> None:
        self._photos = photos
        self._ids = {photo.id for photo in photos}
        # Each is looked at once, however many files turn up with this content.
        self._moved = (photo for photo in photos if can_have_moved(photo.path, roots))

    def __contains__(self, photo_id: str) -> bool:
        return photo_id in self._ids

    def __bool__(self) -> bool:
        return bool(self._photos)

    @property
    def any_id(self) -> str:
        """The id of one of them."""
        return self._photos[0].id

    def moved_from(self) -> Photo | None:
        """The next one whose file is gone, if there is one left."""
        return next(self._moved, None)


class Changes:
    """The files that differ from what a collection holds, counted as they are found.

    `roots` are the folders among them; a collection of None is one that does not exist yet. What
    this remembers grows with what changed, not with what is there.
    """

    def __init__(
        self,
        files: Iterator[Found | Problem],
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

    def identified(self, pool: Pool) -> Iterator[Identified]:
        """Files that are new or changed, with the hash of their content."""
        for item in ordered(pool, identify, self._pending(), ahead=AHEAD):
            if isinstance(item, Rejected):
                self.fail(item.found.path, item.reason)
            else:
                yield item

    def known_content(self, items: Sequence[Identified]) -> dict[str, Known]:
        """What the collection has of each file's content, by content hash."""
        hashes = list({item.content_hash for item in items})
        photos = self._collection.find_content(hashes) if self._collection else {}
        return {content: Known(photos.get(content, []), self.roots) for content in hashes}

    def reuse(self, item: Identified, known: Known) -> str | None:
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

    def _pending(self) -> Iterator[Found]:
        """Files that are new or have another size or date than their row: a stat each."""
        for group in batches(self._files, LOOKUP):
            found: dict[str, Found] = {}
            for item in group:
                if isinstance(item, Found):
                    found[photo_id(item.path)] = item
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
