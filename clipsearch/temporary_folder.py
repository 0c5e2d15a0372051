"""Temporary folders that the next process removes if a kill left them."""

import os
import shutil
import tempfile
from pathlib import Path

from clipsearch.abandoned import lock_folder, remove_all_abandoned

PREFIX = "clipsearch-temp-"

NEW = ".new-"
"""Prefix of a folder that is renamed when it is complete."""


class TemporaryFolder:
    """A private folder, until `remove` or the end of a `with` block, which gets its path.

    It is locked while `fd` is open in this process, or in a child that inherits it. On Windows `fd`
    is None, and nothing is locked.
    """

    def __init__(self, parent: Path | None = None, prefix: str = PREFIX) -> None:
        """Create it, and remove those with this prefix that killed processes left beside it.

        `parent` defaults to the system's folder. Raises OSError if it cannot be created.
        """
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        remove_all_abandoned(parent, prefix)
        self.path, self.fd = _create(parent, prefix)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(self.path)  # a write does not name its file, as on a full disk
        self.remove()

    def remove(self) -> None:
        """Remove the folder and what it holds; may be called more than once."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def _create(parent: Path, prefix: str) -> tuple[Path, int | None]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        if os.name == "nt":  # cannot open folders
            return path, None
        if (fd := lock_folder(path)) is not None:
            return path, fd
