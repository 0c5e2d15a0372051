"""Atomic file writes, and a disk cache of arrays by key."""

import contextlib
import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch import config
from clipsearch.abandoned import create_locked, remove_abandoned

TEMPORARY = ".clipsearch-"
"""Prefix of the names of temporary files, which a kill may leave."""

log = logging.getLogger("clipsearch")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file beside `path`; move it to `path` when the block succeeds.

    On an exception the temporary file is removed and an existing `path` stays unchanged. After a
    kill, the next write to `path` removes it. A device or pipe, such as /dev/stdout, is yielded
    itself. Raises OSError if the folder does not exist or cannot be written.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        yield path
        return
    temporary, fd = _create_beside(path)
    try:
        if os.name == "nt":  # cannot move an open file
            os.close(fd)
        yield temporary
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    finally:
        if os.name != "nt":
            os.close(fd)


def _create_beside(path: Path) -> tuple[Path, int]:
    """Create and lock a temporary file for `path`; one that a killed process left is replaced."""
    name = hashlib.blake2b(os.fsencode(path.name), digest_size=8).hexdigest()
    mode = 0o600 if path.is_relative_to(config.cache_folder()) else 0o666
    for number in count():
        temporary = path.with_name(f"{TEMPORARY}{name}-{number}.part")
        remove_abandoned(temporary)
        # None if another process or thread writes `path`, too.
        if (fd := create_locked(temporary, mode)) is not None:
            return temporary, fd
    raise AssertionError


def make_cache_folder(folder: Path) -> None:
    """Create a folder in the user's cache folder, which only the user can read."""
    config.cache_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def content_key(*parts: Any) -> str:
    """Return 32 hex digits that identify JSON-serializable values."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class ArrayCache:
    """Arrays in a subfolder of the user's cache folder, one `.npz` file for each key."""

    def __init__(self, name: str) -> None:
        """Name the subfolder; it is created on the first `save`."""
        self._name = name

    @property
    def folder(self) -> Path:
        """The subfolder, which may not exist yet."""
        return config.cache_folder() / self._name

    def load(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays saved under `key`, or None if there are none or the file is damaged."""
        try:
            with np.load(self.folder / f"{key}.npz", allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Save arrays under `key`; if the folder cannot be written, only log it."""
        try:
            make_cache_folder(self.folder)
            with (
                atomic_write(self.folder / f"{key}.npz") as temporary,
                temporary.open("wb") as file,
            ):
                np.savez(file, **dict[str, Any](arrays))
        except OSError as error:
            log.info("not cached in %s: %s", self.folder, error.strerror or error)
