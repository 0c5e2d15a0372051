"""Canonical paths: one file has one path, however it is given."""

import os
import re
import sys
import unicodedata
from itertools import takewhile
from pathlib import Path

from clipsearch.locations.archive_names import find_archive
from clipsearch.remote_path import SCHEMES, RemotePath

_WILDCARD = re.compile(r"[*?\[]")
_CUT_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/([^/].*)", re.DOTALL)
_TIMES = 2**63


def is_file(path: Path) -> bool:
    """Whether a path is a regular file; never raises."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises if a name is too long


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; never raises."""
    return os.path.isdir(path)  # noqa: PTH112 - as above


def compose(text: str) -> str:
    """Return text in Unicode form NFC, in which equal names are equal strings.

    Keyboards mostly give NFC ("ä"), file systems of macOS often NFD ("a" and a combining mark).
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_missing(path: Path) -> bool:
    """Whether nothing exists at a path; False if that cannot be determined.

    That of an image in an archive, or in an object store, is not determined.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return find_archive(path) is None
    except OSError:
        return False
    return False


def describe_missing(path: Path) -> str:
    """Return a path that does not exist for a message; restore a URL, which `Path` cuts."""
    url = _CUT_URL.fullmatch(str(path))
    if url is None:
        return str(path)
    scheme = url[1].lower()
    if scheme == "file":
        return f"file:///{url[2]}: give its path, /{url[2]}"
    if scheme in ("http", "https"):
        advice = "only query and similar take a URL, so download it first"
    elif scheme in SCHEMES:
        advice = "only ingest reads object stores, so download it first"
    else:
        advice = "the URI of an object store starts with s3, gs, az, abfs or hf"
    return f"{url[1]}://{url[2]}: {advice}"


def expand_user(path: Path) -> Path:
    """Replace a leading `~` or `~user`; leave the path unchanged if there is no such user."""
    if isinstance(path, RemotePath):
        return path
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises on "~$x.jpg"


def canonical(path: Path) -> Path:
    """Return the absolute path under which a collection stores a file or folder; never raises.

    Folders are fully resolved; a file keeps its own name in its resolved folder. So two spellings
    of a path are one row, and a link to a file keeps its place. A name that is typed in another
    Unicode form than the file system's gets that form. A path that cannot be examined counts as a
    file.
    """
    path = expand_user(path)
    if isinstance(path, RemotePath):
        return path
    try:
        if not str(path).isascii():
            path = _existing_spelling(path)
        if is_folder(path):
            return Path(os.path.realpath(path))
        return Path(os.path.realpath(path.parent), path.name)
    except ValueError:  # a NUL byte in the name
        return path.absolute()


def modified_ns(status: os.stat_result) -> int:
    """Return the modification time in ns since 1970 as a signed 64-bit integer.

    File systems hold times before 1677 and after 2262, which do not fit: these wrap around, so that
    two different times remain different.
    """
    time_ns = status.st_mtime_ns
    return time_ns if -_TIMES <= time_ns < _TIMES else (time_ns + _TIMES) % (2 * _TIMES) - _TIMES


def anchored(glob: str) -> tuple[Path, str] | None:
    """Split an absolute glob into the canonical folder before its first wildcard, and the rest.

    The rest uses "/" and includes at least the last name. `~` is expanded. Returns None for a
    relative glob.
    """
    pattern = expand_user(Path(glob))
    if not pattern.is_absolute():
        return None
    folder = Path(*takewhile(lambda name: not _WILDCARD.search(name), pattern.parent.parts))
    return canonical(folder), pattern.relative_to(folder).as_posix()


def _existing_spelling(path: Path) -> Path:
    """Give names that do not exist the Unicode form of one that does, if there is one.

    macOS finds a name in any form, so there the folder itself is read.
    """
    if sys.platform != "darwin" and os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for name in path.parts[1 if path.anchor else 0 :]:
        found /= name if name.isascii() else _existing_name(found, name)
    return found


def _existing_name(folder: Path, name: str) -> str:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - Path.iterdir makes a Path of every name
    except OSError:
        return name
    same = (other for other in names if compose(other) == compose(name))
    return name if name in names else next(same, name)
