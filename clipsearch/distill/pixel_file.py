"""The student's input for all images: a file in the output folder, mapped during training."""

import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.cache import atomic_write
from clipsearch.errors import UsageError, write_error

PIXELS_FILE = "pixels.npy"
"""(n, 3, H, W) uint8."""
KEY_FILE = "pixels.key"
"""Written when PIXELS_FILE is complete: identifies its images and their preprocessing."""


def create_pixels(folder: Path, shape: tuple[int, ...]) -> Any:
    """Create a file of pixels and map it for writing.

    It counts as incomplete until `complete_pixels`. Raises UsageError if the disk has too little
    space: writing to a mapped file on a full disk ends the process. OutputError if it gets full.
    """
    old, size = folder / PIXELS_FILE, math.prod(shape)
    free = shutil.disk_usage(folder).free + (old.stat().st_size if old.exists() else 0)
    if size > free:
        raise UsageError(
            f"the images need {size / 1e9:.1f} GB in {folder} until the student is finished, and "
            f"{free / 1e9:.1f} GB are free: name a folder on another disk, or use fewer images"
        )
    (folder / KEY_FILE).unlink(missing_ok=True)
    pixels = np.lib.format.open_memmap(folder / PIXELS_FILE, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):
        with (folder / PIXELS_FILE).open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise write_error(folder / PIXELS_FILE, error) from error
    return pixels


def complete_pixels(folder: Path, key: str) -> NDArray[np.uint8]:
    """Mark the file as complete and map it for reading."""
    with atomic_write(folder / KEY_FILE) as temporary:
        temporary.write_text(key, encoding="utf-8")
    pixels: NDArray[np.uint8] = np.load(folder / PIXELS_FILE, mmap_mode="r")
    return pixels


def load_pixels(folder: Path, key: str, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Map the file of an earlier run; None if missing, incomplete, or of other images."""
    try:
        is_same = (folder / KEY_FILE).read_text(encoding="utf-8") == key
        pixels: NDArray[np.uint8] = np.load(folder / PIXELS_FILE, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return pixels if is_same and pixels.shape == shape and pixels.dtype == np.uint8 else None


def delete_pixels(folder: Path) -> None:
    """Delete the file, if there is one."""
    for name in (KEY_FILE, PIXELS_FILE):
        (folder / name).unlink(missing_ok=True)
