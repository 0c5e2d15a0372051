"""Read an image at any location again: a file, a member of an archive, an object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from clipsearch.locations.archive_names import find_archive, is_tar, member_name
from clipsearch.locations.content import temporary_file
from clipsearch.locations.object_store import find_object, read_object
from clipsearch.locations.parquet_file import read_row
from clipsearch.locations.tar_archive import read_member
from clipsearch.remote_path import RemotePath


def is_plain_file(path: Path) -> bool:
    """Whether a location is, or was, a local file of its own."""
    return not isinstance(path, RemotePath) and find_archive(path) is None


def has_changed(path: Path, mtime_ns: int) -> bool:
    """Whether a local archive has another time than an image in it.

    Object stores are not asked, as that takes a request for each image.
    """
    archive = find_archive(path)
    if isinstance(path, RemotePath) or archive is None:
        return False
    try:
        return archive.stat().st_mtime_ns != mtime_ns
    except OSError:
        return True


def open_location(path: Path) -> BinaryIO:
    """Open the image at a location that `is_plain_file` denies, as a temporary file.

    Its mtime is that of the archive or object, as in the record. Raises OSError, and UsageError if
    a package is missing.
    """
    archive = find_archive(path)
    stored = find_object(path) if isinstance(path, RemotePath) else None
    if stored is not None:
        assert isinstance(path, RemotePath)
        return _temporary(read_object(path), stored.mtime_ns)
    if archive is None:
        raise FileNotFoundError(None, "no such object")
    mtime_ns = _mtime(archive)
    name = member_name(path, archive)
    if is_tar(archive):
        return _temporary(read_member(archive, name).read(), mtime_ns)
    column, _, number = name.rpartition("/")
    if not column or not (number.isascii() and number.isdigit()):
        raise FileNotFoundError(None, "not a row of the Parquet file")
    return _temporary(read_row(archive, int(number), column), mtime_ns)


def _mtime(archive: Path) -> int:
    if not isinstance(archive, RemotePath):
        return archive.stat().st_mtime_ns
    stored = find_object(archive)
    if stored is None:
        raise FileNotFoundError(None, "no such object")
    return stored.mtime_ns


def _temporary(data: bytes, mtime_ns: int) -> BinaryIO:
    file = temporary_file()
    file.write(data)
    file.flush()
    os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
    file.seek(0)
    return file
