"""When image files may have changed: by events of the system, or by looking at intervals."""

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from clipsearch.files.discover import FileSource
from clipsearch.files.folder_events import FolderEvents
from clipsearch.files.walk import FileSelection

log = logging.getLogger("clipsearch")

FALLBACK_SECONDS = 60.0
"""How often to look for changes if the system cannot report them."""


class ChangeSource(Protocol):
    """Tells whether files may have changed since the last call."""

    def wait(self, seconds: float) -> bool:
        """Wait for a change; return whether there was one within `seconds`."""


class Polling:
    """Compares path, size and time of all image files at intervals; for network disks."""

    def __init__(self, paths: Sequence[Path], selection: FileSelection, *, interval: float) -> None:
        """Look at the files now, and then every `interval` seconds."""
        self._paths = paths
        self._selection = selection
        self._interval = interval
        self._digest = self._look()

    def wait(self, seconds: float) -> bool:
        """Wait for a change; return whether there was one within `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(self._interval, left))
            digest = self._look()
            if digest != self._digest:
                self._digest = digest
                return True
        return False

    def _look(self) -> bytes:
        """The hash of all files: the memory does not grow with their number."""
        hashed = hashlib.blake2b()
        for file in FileSource(self._paths, self._selection, strict=False):
            hashed.update(repr(file).encode(errors="surrogateescape"))
        return hashed.digest()


class FileChanges:
    """Events of the system; polling with `interval`, or once the system cannot watch all folders.

    `FolderEvents` and `Polling` describe the arguments.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        selection: FileSelection,
        *,
        interval: float | None = None,
        ignored: Path | None = None,
    ) -> None:
        """Begin to watch."""
        self._paths = paths
        self._selection = selection
        self._changes: ChangeSource
        if interval is not None:
            self._changes = Polling(paths, selection, interval=interval)
            return
        try:
            self._changes = FolderEvents(paths, selection, ignored=ignored)
        except (OSError, RuntimeError) as error:
            self._poll(error)

    def wait(self, seconds: float) -> bool:
        """Wait for a change; return whether there was one within `seconds`."""
        try:
            return self._changes.wait(seconds)
        except (OSError, RuntimeError) as error:
            self._poll(error)
            return True

    def _poll(self, error: Exception) -> None:
        reason = str(error).split(" about ")[0].rstrip(". ")
        log.warning(
            "the system cannot watch all folders (%s): looking at the files every %.0f s instead; "
            "on Linux, sysctl fs.inotify shows the limits",
            reason,
            FALLBACK_SECONDS,
        )
        self._changes = Polling(self._paths, self._selection, interval=FALLBACK_SECONDS)
