"""Opening the file of a stored image for someone else: an assistant, a browser, a program."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from PIL.Image import Image

from clipsearch.errors import ImageError, UsageError, of_process
from clipsearch.files.load import size_problem
from clipsearch.images.decode import MAX_PIXELS, decode
from clipsearch.images.memory import FILES
from clipsearch.images.thumbnails import shrink
from clipsearch.locations.archive_names import find_archive
from clipsearch.locations.open_location import is_plain_file, open_location
from clipsearch.remote_path import RemotePath

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe could wait forever
)


def open_stored_file(path: Path, roots: Iterable[Path]) -> BinaryIO:
    """Open the file of a record for reading, if it lies in a folder that was ingested.

    `roots` are the folders of the collection, canonical as they are stored. Symbolic links are
    resolved now, so a file or a folder, a root too, that was replaced by a link to somewhere else
    after it was ingested does not lead there, whenever that happens.
    A record outside of all roots was ingested by itself: its path must lead to it without links.
    Raises ImageError with the reason, but not the path, if it is not opened; OSError if this
    process can open no file now. An image in an archive comes from the archive, for which the same
    holds, and one in an object store from there; both as a temporary file.
    """
    if not is_plain_file(path):
        return _open_member(path, roots)
    try:
        target = Path(os.path.realpath(path, strict=True))
        root = next((root for root in roots if target.is_relative_to(root)), None)
        if root is None and target == path:
            root = target.parent
        if root is None:
            raise ImageError("it is not in a folder of this collection")
        descriptor = _open_below(root, target)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ImageError("it is not a regular file")
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except FileNotFoundError as error:
        raise ImageError("the file is missing") from error
    except ValueError as error:  # a NUL byte in the name
        raise ImageError("it is not a path") from error
    except OSError as error:
        if of_process(error):
            raise
        raise ImageError(f"the file cannot be opened: {error.strerror}") from error


def stored_thumbnail(path: Path, roots: Iterable[Path], size: tuple[int, int]) -> Image:
    """Return the upright RGB image of a record's file within `size` (width, height) pixels.

    Opens the file as `open_stored_file` does. Raises ImageError with the reason, not the path.
    """
    with open_stored_file(path, roots) as file:
        return shrink(decode_stored(file, min_side=min(size)), size)


def decode_stored(file: BinaryIO, *, min_side: int | None = None) -> Image:
    """Return the upright RGB image of an open file; `min_side` as for `decode`.

    The file may have become a large one since it was ingested: it is read only if an image can have
    its size, and within the memory for files. Raises ImageError with the reason.
    """
    length = os.fstat(file.fileno()).st_size
    if reason := size_problem(length, MAX_PIXELS):
        raise ImageError(reason)
    with FILES.reserve(length):
        try:
            data = file.read()
        except OSError as error:
            raise ImageError(f"the file cannot be read: {error.strerror}") from error
        return decode(data, min_side=min_side).image


def _open_member(path: Path, roots: Iterable[Path]) -> BinaryIO:
    if (archive := find_archive(path)) and not isinstance(archive, RemotePath):
        open_stored_file(archive, roots).close()  # it lies in a folder that was ingested
    try:
        return open_location(path)
    except FileNotFoundError as error:
        raise ImageError(f"the image is missing: {error.strerror}") from error
    except (OSError, UsageError) as error:
        if of_process(error):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"it cannot be read: {reason}") from error


def _open_below(root: Path, target: Path) -> int:
    """Open a file below a folder without following links, even if the names change meanwhile."""
    if os.open not in os.supports_dir_fd:  # Windows
        return os.open(target, _FLAGS)
    *folders, name = target.relative_to(root).parts or (".",)
    place = os.open(root, _FLAGS | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, _FLAGS | os.O_DIRECTORY, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(name, _FLAGS, dir_fd=place)
    finally:
        os.close(place)
