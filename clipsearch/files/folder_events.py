"""Changes of image files, reported by the operating system (inotify, FSEvents, Windows)."""

import time
from collections.abc import Generator, Sequence
from pathlib import Path

from watchfiles import Change, watch
from watchfiles.main import FileChange

from clipsearch.files.exclude import JUNK_FOLDERS, Exclusion
from clipsearch.files.walk import FileSelection
from clipsearch.images.formats import SUFFIXES

SLICE_MS = 500
"""How long one call waits: as often, folders that vanish or return are noticed."""


class FolderEvents:
    """Tells whether image files in some folders, or some files, may have changed.

    An event is a hint: whoever waits looks at all files. So a missed event within a new folder
    does no harm, as the folder has an event of its own.
    """

    def __init__(
        self, paths: Sequence[Path], selection: FileSelection, *, ignored: Path | None = None
    ) -> None:
        """Watch canonical paths, also those that do not exist yet; ignore the path of the store.

        Raises OSError or RuntimeError if the system's limit of watched folders is reached.
        """
        self._paths = paths
        self._selection = selection
        self._exclusion = Exclusion(selection.exclude)
        self._ignored = ignored
        self._identities: dict[Path, tuple[int, int] | None] = {}
        self._is_incomplete = True
        self._events: Generator[set[FileChange], None, None] | None = None
        self._watch()

    def wait(self, seconds: float) -> bool:
        """Wait for a change; return whether there was one within `seconds`.

        Raises OSError or RuntimeError if the system's limit of watched folders is reached.
        """
        deadline = time.monotonic() + seconds
        while True:
            if self._watch():
                return True
            changes = self._next_changes()
            if changes:
                # A new folder beyond the limit is not watched, without an error: watch all again.
                self._is_incomplete = any(
                    change == Change.added and Path(path).is_dir() for change, path in changes
                )
                return True
            if time.monotonic() >= deadline:
                return False

    def _watch(self) -> bool:
        """Watch again if a path was replaced, or a folder may not be watched; tell whether so.

        A disk that is mounted or not, and an editor that replaces a file, change the identity.
        """
        identities = {path: _identity(path) for path in self._paths}
        if identities == self._identities and not self._is_incomplete:
            return False
        if self._events is not None:
            self._events.close()
        self._identities = identities
        self._is_incomplete = False
        existing = [path for path in self._paths if identities[path]]
        self._events = None
        if existing:
            try:
                self._start(existing, ignore_permission_denied=False)
            except PermissionError:  # a subfolder; to ignore it hides the system's limit as well
                self._start(existing, ignore_permission_denied=True)
        return True

    def _start(self, existing: list[Path], *, ignore_permission_denied: bool) -> None:
        self._events = watch(
            *existing,
            watch_filter=self._may_matter,
            debounce=SLICE_MS,
            step=SLICE_MS // 4,
            rust_timeout=SLICE_MS,
            yield_on_timeout=True,
            ignore_permission_denied=ignore_permission_denied,
        )
        self._next_changes()

    def _next_changes(self) -> set[FileChange]:
        if self._events is None:
            time.sleep(SLICE_MS / 1000)
            return set()
        try:
            return next(self._events)
        except FileNotFoundError:  # a path vanished meanwhile
            self._events, self._is_incomplete = None, True
            return set()

    def _may_matter(self, change: Change, path: str) -> bool:
        """Whether a walk may find something else than before this change."""
        changed = Path(path)
        if self._ignored is not None and _is_part(changed, self._ignored):
            return False
        if changed in self._paths:
            return True
        root = next((root for root in self._paths if changed.is_relative_to(root)), None)
        if root is None:
            return False
        names = changed.relative_to(root).parts
        if not self._selection.everything and (
            any(name.startswith(".") for name in names)
            or any(name.lower() in JUNK_FOLDERS for name in names[:-1])
        ):
            return False
        if self._exclusion and self._exclusion.matches(path, "/".join(names)):
            return False
        suffix = changed.suffix.lower()
        # What was deleted may have been a folder: its files had no events if it was moved away.
        return not suffix or suffix in SUFFIXES or change == Change.deleted or changed.is_dir()


def _is_part(path: Path, store: Path) -> bool:
    """Whether a path is a local store, in its folder, or beside it with a longer name."""
    return path.is_relative_to(store) or (
        path.parent == store.parent and path.name.startswith(store.name)
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
