"""Files that are whole or not there."""

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch import config

VERSION = 1
"""Of how the teacher's vectors and the student's pictures are made; others are made again."""


def key(*parts: Any) -> str:
    """32 hex digits of plain values."""
    text = json.dumps((VERSION, *parts), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file, and put it in its place when it is whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    unfinished = Path(name)
    try:
        write(unfinished)
        unfinished.chmod(0o644)
        unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def save_arrays(name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep arrays in the cache; where that fails they are made again next time."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **dict[str, Any](arrays))

    with contextlib.suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        replace(_folder() / f"{name}.npz", write)


def load_arrays(name: str) -> dict[str, NDArray[Any]] | None:
    """The arrays of that name; None where there are none, or damaged ones."""
    try:
        with np.load(_folder() / f"{name}.npz", allow_pickle=False) as stored:
            return {each: stored[each] for each in stored.files}
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _folder() -> Path:
    return config.cache_folder() / "distillation"
