"""What is new about some files, as a collection sees it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from clipsearch.batches import batches
from clipsearch.identity import canonical, photo_id
from clipsearch.store import Collection, Failure
from clipsearch.types import Photo
from ingest.files import Found, Selection, find
from ingest.prune import can_have_moved
from ingest.report import Tally
from ingest.steps import Identified, Rejected, identify
from ingest.workers import ordered

LOOKUP = 512  # files a question to the store


class Progress(Protocol):
    """What a progress bar must do; tqdm's does."""

    total: float | None

    def update(self, n: float) -> object: ...


class Kind(Enum):
    """How a file whose content is known comes to be there."""

    UNCHANGED = "only its date changed"
    MOVED = "the file that had this content is gone"
    COPIED = "another file has this content"


@dataclass(frozen=True, slots=True)
class Reuse:
    """How a file gets the vector of known content; `replaces` is the id of a moved file's old row."""

    kind: Kind
    replaces: str | None = None


class Changes:
    """The files under some paths that differ from what a collection holds, counted as they are found.

    A collection of None is one that does not exist yet. Raises UsageError on a path that does not
    exist, before anything is read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        collection: Collection | None,
        selection: Selection,
        tally: Tally,
        progress: Progress | None = None,
    ) -> None:
        self._files = find(paths, selection)
        self._collection = collection
        self._tally = tally
        self._progress = progress
        self._moved_from: set[str] = set()
        self.roots = [canonical(path) for path in paths if path.is_dir()]
        self.outdated: set[str] = set()  # ids whose row is of older content than the file's

    def identified(self, executor: ThreadPoolExecutor) -> Iterator[Identified]:
        """Files that are new or changed, with the hash of their content."""
        for item in ordered(executor, identify, self._pending(), ahead=LOOKUP):
            if isinstance(item, Rejected):
                self.fail(item.found.path, item.reason)
            else:
                yield item

    def known_content(self, items: Sequence[Identified]) -> dict[str, list[Photo]]:
        """The collection's photos of each file's content, by content hash; [] where there is none."""
        hashes = list({item.content_hash for item in items})
        known = self._collection.find_content(hashes) if self._collection else {}
        return {content: known.get(content, []) for content in hashes}

    def reuse(self, item: Identified, photos: Sequence[Photo]) -> Reuse:
        """Decide and count how a file came to have the content of those photos."""
        self.advance()
        if any(photo.id == item.id for photo in photos):
            self._tally.unchanged += 1
            return Reuse(Kind.UNCHANGED)
        for photo in photos:
            if photo.id not in self._moved_from and can_have_moved(photo.path, self.roots):
                self._moved_from.add(photo.id)
                self._tally.moved += 1
                return Reuse(Kind.MOVED, replaces=photo.id)
        self._tally.copied += 1
        return Reuse(Kind.COPIED)

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
            stamps = self._collection.stamps(list(found)) if self._collection else {}
            for id_, item in found.items():
                stamp = stamps.get(id_)
                if stamp and (stamp.size, stamp.mtime_ns) == (item.size, item.mtime_ns):
                    self._tally.unchanged += 1
                    self.advance()
                    continue
                if stamp:
                    self.outdated.add(id_)
                yield item
