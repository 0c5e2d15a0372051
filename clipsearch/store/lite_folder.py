"""The temporary folder of a Milvus Lite process: its socket and its own files."""

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX = "clipsearch-lite-"
SOCKET_BYTES = 100
"""Maximum length of a Unix socket's path: 108 bytes on Linux, 104 on macOS."""


class LiteFolder:
    """A private folder with a path short enough for a socket in it, until `remove`.

    The folder is locked while `fd` is open in this process, or in a child that inherits it. So a
    later process can tell that a killed one left it.
    """

    def __init__(self) -> None:
        """Create the folder, and remove those that killed processes left beside it."""
        parent = tempfile.gettempdir()
        if len(os.fsencode(parent)) + len(PREFIX) + 24 > SOCKET_BYTES:
            parent = "/tmp"
        _remove_abandoned(Path(parent))
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self.fd, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Remove the folder and what it holds."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.fd)


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of this user that no process has locked."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with suppress(OSError):
                    _remove_if_abandoned(entry.path)


def _remove_if_abandoned(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        # Between its creation and its lock, a folder is empty.
        if os.fstat(fd).st_uid == os.getuid() and any(Path(folder).iterdir()):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(fd)
