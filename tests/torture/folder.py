"""A folder of images that changes between kills, and what a store of it must hold."""

import os
import random
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.images.hashing import content_hash
from clipsearch.store import Collection
from clipsearch.vectors import normalize
from tests.helpers.fakes import draw


class Folder:
    """Image files, each of one color of its own, which may never be confused with another."""

    def __init__(self, path: Path, images: int, seed: int) -> None:
        """Draw the files."""
        self.path = path
        self._random = random.Random(seed)
        self._numbers = count()
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self.hashes: dict[Path, str] = {}
        for _ in range(images):
            self._draw(self._new_path())

    def change(self, *, keep_time: bool = False) -> None:
        """Change, add, move and delete some files; with `keep_time`, only a hash tells changes."""
        files = sorted(self.hashes)
        self._random.shuffle(files)
        for file in files[:90]:
            modified = file.stat().st_mtime_ns
            self._draw(file)
            if keep_time:
                os.utime(file, ns=(modified, modified))
        for file in files[90:98]:
            moved = self._new_path()
            file.rename(moved)
            self.hashes[moved] = self.hashes.pop(file)
        for file in files[98:106]:
            file.unlink()
            del self.hashes[file]
        for _ in range(8):
            self._draw(self._new_path())

    def vector_of(self, hashed: str) -> NDArray[np.float32]:
        """The vector of a content that some file has or had."""
        return self._vectors[hashed]

    def is_complete(self, images: Collection) -> bool:
        """Tell whether a collection holds exactly these files with their contents."""
        stored = {record.path: record.content_hash for record in images.scan()}
        return stored == self.hashes

    def _new_path(self) -> Path:
        number = next(self._numbers)
        return self.path / ("removed" if number % 5 == 0 else "kept") / f"{number}.png"

    def _draw(self, path: Path) -> None:
        number = next(self._numbers)
        color = (1 + number % 251, 1 + number // 251 % 251, 1 + number // 63_001)
        draw(path, color)
        hashed = content_hash(path.read_bytes())
        self.hashes[path] = hashed
        self._vectors[hashed] = normalize(np.array([*color, 0], dtype=np.float32))
