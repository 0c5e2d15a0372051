"""Groups of images that look the same: their pixels are compared."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL.Image import Image

from clipsearch.batching import batches
from clipsearch.errors import ImageError
from clipsearch.files.progress import Progress
from clipsearch.images.comparison import (
    GRID_TOLERANCE,
    GRID_VALUES,
    MAX_SIDE,
    Pixels,
    grid_distances,
    look_the_same,
    read_gray,
    read_grid,
)
from clipsearch.query.duplicate_candidates import Candidates, Mask
from clipsearch.query.vector_file import Rows
from clipsearch.remote_path import locate
from clipsearch.types import Failure

COMPARISONS = 8
"""Images compared at a time with one image; more follow if one of these looks the same.

So a thousand forms that differ by a word need 8,000 comparisons, not half a million.
"""
SMALL_SIDE = 192  # pixels: tells most forms apart in a twentieth of the time
SMALL_IMAGES, GRAY_IMAGES = 512, 256
"""Held at a time, 20 and at most 270 MB. Forms of one kind are read several times, each for some of
the others; to read one takes ten times as long as to compare it."""
GRID_ROWS = 1024  # compared at a time: 2 MB


class PixelGroups:
    """The groups of n image files, of which the first ones found groups.

    `failures` are the files that could not be read, each once.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        """Read nothing yet."""
        self.failures: dict[Path, Failure] = {}
        self._paths = paths
        self._is_read = np.zeros(len(paths), dtype=np.bool_)
        self._grids = np.zeros((len(paths), GRID_VALUES), dtype=np.uint8)  # takes memory once used
        self._read_gray = lru_cache(maxsize=GRAY_IMAGES)(self._gray)
        self._read_small = lru_cache(maxsize=SMALL_IMAGES)(partial(self._gray, side=SMALL_SIDE))

    def leaders(self, candidates: Candidates, progress: Progress | None = None) -> Rows:
        """The leader of each image, (n,): the first image that it looks the same as, or itself.

        Only candidates are read and compared. Needs 0.8 kB for each of these.
        """
        count = len(self._paths)
        leaders = np.arange(count, dtype=np.intp)
        is_free = np.ones(count, dtype=np.bool_)  # readable, and like no earlier image
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for block in candidates.blocks():
                rows = block[is_free[block]]
                later_rows = candidates.later(rows, is_free)
                is_free[self._read_grids(later_rows.involved(), pool)] = False
                for leader, later in zip(map(int, rows), later_rows, strict=True):
                    if is_free[leader]:
                        self._find_copies(leader, later[is_free[later]], pool, leaders, is_free)
                if progress is not None:
                    progress.update(len(block))
        return leaders

    def _find_copies(
        self, leader: int, later: Rows, pool: ThreadPoolExecutor, leaders: Rows, is_free: Mask
    ) -> None:
        for some in batches(_nearest(self._grids, leader, later), COMPARISONS):
            verdicts = pool.map(partial(self._match, leader), some)
            same = [row for row, matches in zip(some, verdicts, strict=True) if matches]
            leaders[same] = leader
            is_free[same] = False
            if not same:
                break

    def _read_grids(self, rows: Rows, pool: ThreadPoolExecutor) -> Rows:
        """Read the grids of some images that were not read before; return the unreadable ones."""
        rows = rows[~self._is_read[rows]]
        self._is_read[rows] = True
        grids = list(pool.map(self._grid, map(int, rows)))
        is_readable = np.array([grid is not None for grid in grids], dtype=np.bool_)
        for row, grid in zip(rows, grids, strict=True):
            if grid is not None:
                self._grids[row] = grid
        return rows[~is_readable]

    def _match(self, leader: int, row: int) -> bool:
        for read in (self._read_small, self._read_gray):
            first, second = read(leader), read(int(row))
            if first is None or second is None or not look_the_same(first, second):
                return False
        return True

    def _grid(self, row: int) -> Pixels | None:
        try:
            return read_grid(locate(self._paths[row]))
        except ImageError as error:
            self._fail(row, error)
            return None

    def _gray(self, row: int, side: int = MAX_SIDE) -> Image | None:
        try:
            return read_gray(locate(self._paths[row]), side)
        except ImageError as error:
            self._fail(row, error)
            return None

    def _fail(self, row: int, error: ImageError) -> None:
        path = locate(self._paths[row])
        self.failures[path] = Failure(path, str(error))


def _nearest(grids: Pixels, index: int, others: Rows) -> list[int]:
    """Those of some other indexes whose grids are like the one of `index`, the most alike first."""
    distances = np.concatenate(
        [np.empty(0, np.int16)]
        + [grid_distances(grids[some], grids[index]) for some in _chunks(others)]
    )
    near = distances <= GRID_TOLERANCE
    return [int(i) for i in others[near][np.argsort(distances[near], kind="stable")]]


def _chunks(rows: Rows) -> list[Rows]:
    return [rows[start : start + GRID_ROWS] for start in range(0, len(rows), GRID_ROWS)]
