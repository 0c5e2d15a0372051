"""Which files are archives, and which of them a path leads into."""

import os
from pathlib import Path

from clipsearch.remote_path import RemotePath

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
PARQUET_SUFFIXES = (".parquet",)


def is_tar(path: Path) -> bool:
    """Whether a file of this name is a tar archive."""
    return path.name.lower().endswith(TAR_SUFFIXES)


def is_parquet(path: Path) -> bool:
    """Whether a file of this name is a Parquet file."""
    return path.name.lower().endswith(PARQUET_SUFFIXES)


def is_archive(path: Path) -> bool:
    """Whether a file of this name holds images as members or rows."""
    return is_tar(path) or is_parquet(path)


def find_archive(path: Path) -> Path | None:
    """Return the archive that a path leads into, or None: the outermost file of such a name.

    In an object store the name alone tells.
    """
    for parent in reversed(path.parents):
        if is_archive(parent) and (isinstance(parent, RemotePath) or _is_file(parent)):
            return parent
    return None


def member_name(path: Path, archive: Path) -> str:
    """Return the name of a member of an archive, with "/"."""
    return path.relative_to(archive).as_posix()


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises if a name is too long
