"""Which files to take: folders walked, explicit paths checked, each file once."""

import difflib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeAlias

from clipsearch.errors import UsageError
from clipsearch.formats import SUFFIXES, sniff
from clipsearch.identity import canonical, expanded, is_folder
from ingest.exclude import Excluded

JUNK = frozenset(
    {
        "@eadir",  # Synology
        "@recycle",  # QNAP
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__macosx",
        "node_modules",
        "thumbnails",
        "thumbnail",
        "thumbs",
    }
)
"""Lower-case names of folders that hold no photographs of their own; dotfolders are junk anyway."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to ingest, by its canonical path.

    `size` (bytes) and `mtime_ns` are those of the file that a link points to.
    """

    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was asked for and cannot be read: a folder, a broken link, a missing file."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take from folders; files named one by one are always taken.

    A glob of `exclude` without "/" matches a file's or folder's name at any depth; one with "/"
    matches the path relative to the folder that was asked for, and one that begins with "/" or "~"
    also the absolute path; there "*" stays within one name and "**" crosses folders. Nothing in an
    excluded folder is taken.
    """

    exclude: tuple[str, ...] = ()
    everything: bool = False  # also dotfiles and junk folders
    follow_links: bool = False  # symlinks to folders


Start: TypeAlias = tuple[str, os.stat_result]
Item: TypeAlias = "Start | os.DirEntry[str] | Problem"


def find(
    paths: Sequence[Path], selection: Selection, *, strict: bool = True
) -> Iterator[Found | Problem]:
    """Yield the image files in and among `paths`, each once, folders in sorted order.

    From folders come files with a known suffix, and files without any suffix whose first bytes are
    a known format's. A missing path is a Problem. With `strict`, for paths that a person typed, it
    is a UsageError at once, before anything is yielded.
    """
    if strict:
        _refuse_missing(paths)
    return _found(paths, selection)


def count(paths: Sequence[Path], selection: Selection) -> int:
    """How many files and problems `find` would yield now: no stat for each file in a folder."""
    return sum(1 for _ in _items(paths, selection))


def roots(paths: Sequence[Path]) -> list[Path]:
    """The folders among the paths, canonical, each once; never raises."""
    return list(dict.fromkeys(canonical(path) for path in map(expanded, paths) if is_folder(path)))


def read_path_list(stream: BinaryIO) -> list[Path]:
    """Paths separated by NUL if there is any NUL byte, else by lines; empty entries are dropped.

    File names are bytes that need not be UTF-8, so they are decoded as the file system's are.
    """
    data = stream.read()
    if b"\0" in data:
        names = data.split(b"\0")
    else:
        names = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [Path(os.fsdecode(name)) for name in names if name]


def _refuse_missing(paths: Sequence[Path]) -> None:
    for path in map(expanded, paths):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            if not path.is_symlink():
                raise UsageError(f"no such file or folder: {path}{_near_miss(path)}") from error
        except OSError:
            pass  # a problem of this one path
        except ValueError as error:  # a NUL inside
            raise UsageError(f"not a path: {str(path)!r}") from error


def _starts(paths: Sequence[Path]) -> Iterator[Start | Problem]:
    """What was asked for: canonical path and status."""
    folders: dict[str, str] = {}  # resolving costs more than the stat
    for path in map(expanded, paths):
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            yield Problem(canonical(path), _unseen(path, error))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield str(canonical(path)), status
            continue
        parent, name = os.path.split(path)
        if parent not in folders:
            folders[parent] = str(canonical(Path(parent)))
        yield os.path.join(folders[parent], name), status  # noqa: PTH118 - Path is too slow here


def _unseen(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "not a path"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "the link points to nothing" if path.is_symlink() else "no such file"
    return _reason(error)


def _near_miss(path: Path) -> str:
    """A hint at a similar name beside the first missing part of `path`, or nothing."""
    missing = path.absolute()
    while not missing.parent.is_dir():
        if missing.parent == missing:
            return ""
        missing = missing.parent
    try:
        with os.scandir(missing.parent) as entries:
            names = {entry.name.casefold(): entry.name for entry in islice(entries, 10_000)}
    except OSError:
        return ""
    near = difflib.get_close_matches(missing.name.casefold(), names, n=1, cutoff=0.7)
    return f" (did you mean {missing.parent / names[near[0]]}?)" if near else ""


def _found(paths: Sequence[Path], selection: Selection) -> Iterator[Found | Problem]:
    for item in _items(paths, selection):
        if isinstance(item, Problem):
            yield item
            continue
        if isinstance(item, tuple):
            where, status = item
        else:
            where = item.path
            try:
                status = item.stat()
            except OSError as error:
                yield Problem(Path(where), _reason(error))
                continue
        yield Found(Path(where), status.st_size, status.st_mtime_ns)


def _items(paths: Sequence[Path], selection: Selection) -> Iterator[Item]:
    several = len(paths) > 1
    seen: set[str] = set()  # roots may overlap; within one, `_walk` enters each folder once
    for start in _starts(paths):
        items: Iterable[Item] = [start]
        if isinstance(start, tuple):
            where, status = start
            if stat.S_ISDIR(status.st_mode):
                items = _walk(where, selection)
            elif not stat.S_ISREG(status.st_mode):
                items = [Problem(Path(where), "not a regular file")]
        for item in items:
            if several:  # strings, as hashing a Path costs more than the file's stat
                where = item[0] if isinstance(item, tuple) else os.fspath(item.path)
                if where in seen:
                    continue
                seen.add(where)
            yield item


def _walk(root: str, selection: Selection) -> Iterator[os.DirEntry[str] | Problem]:
    """Candidate files below a folder: in each folder the files by name, then its folders."""
    excluded = Excluded(selection.exclude)
    entered: set[tuple[int, int] | str] = set()
    pending = [(root, "")]  # a folder and its path relative to the root, "" or ending in "/"
    while pending:
        folder, relative = pending.pop()
        try:
            status = Path(folder).stat()
            # Some Windows file systems have no numbers; there a folder's own path must do.
            identity = (status.st_dev, status.st_ino) if status.st_ino else folder
            if identity in entered:  # a loop, or a second way to the same folder
                continue
            entered.add(identity)
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield Problem(Path(folder), f"cannot list the folder: {_reason(error)}")
            continue
        below: list[tuple[str, str]] = []
        for entry in entries:
            name = entry.name
            if name.startswith(".") and not selection.everything:
                continue
            if excluded and excluded(entry.path, relative + name):
                continue
            try:
                if entry.is_dir(follow_symlinks=selection.follow_links):
                    if selection.everything or name.lower() not in JUNK:
                        # Resolved, so that a file has one path whichever way led to it.
                        at = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                        below.append((at, f"{relative}{name}/"))
                elif _is_candidate(entry):
                    yield entry
            except OSError as error:
                yield Problem(Path(entry.path), _reason(error))
        pending.extend(reversed(below))


def _is_candidate(entry: os.DirEntry[str]) -> bool:
    """Whether an entry that is no folder is a file of a known format; raises OSError if unclear."""
    name = entry.name
    suffix = _suffix(name)
    if suffix and suffix not in SUFFIXES:
        return False
    if not entry.is_file():  # a pipe, a socket, a device: opening one could wait for ever
        if suffix and entry.is_symlink() and not Path(entry.path).exists():
            raise OSError(0, "the link points to nothing")
        return False
    return bool(suffix) or _sniffs(entry.path)


def _suffix(name: str) -> str:
    """The lower-case suffix with its dot, or "" (also for ".name" and "name.")."""
    stem, dot, suffix = name.lstrip(".").rpartition(".")
    return f".{suffix.lower()}" if dot and suffix and stem else ""


def _sniffs(path: str) -> bool:
    # Not blocking, should a pipe have taken the file's place meanwhile.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except OSError:  # nothing says that it is a picture, so it is no failure either
        return False
    try:
        return sniff(os.read(handle, 32)) is not None
    except OSError:
        return False
    finally:
        os.close(handle)


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it vanished meanwhile"
    return (error.strerror or str(error)).lower()
