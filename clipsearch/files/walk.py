"""Folders walked: the files in them that may be pictures."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipsearch.files.exclude import Excluded
from clipsearch.images.formats import SUFFIXES, sniff
from clipsearch.types import Failure

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
class FileSelection:
    """What to take from folders; files named one by one are always taken.

    A glob of `exclude` without "/" matches a file's or folder's name at any depth; one with "/"
    matches the path relative to the folder that was asked for, and one that begins with "/" or "~"
    also the absolute path; there "*" stays within one name and "**" crosses folders. Nothing in an
    excluded folder is taken.
    """

    exclude: tuple[str, ...] = ()
    everything: bool = False  # also dotfiles and junk folders
    follow_links: bool = False  # symlinks to folders


def walk(root: str, selection: FileSelection) -> Iterator[str | Failure]:
    """Paths of candidate files below a folder: in each folder the files by name, then its folders."""
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
            names, others = _listed(folder)
        except OSError as error:
            yield Failure(Path(folder), f"cannot list the folder: {reason(error)}")
            continue
        below: list[tuple[str, str]] = []
        for name in names:
            if name.startswith(".") and not selection.everything:
                continue
            path = os.path.join(folder, name)  # noqa: PTH118 - Path is too slow here
            if excluded and excluded(path, relative + name):
                continue
            entry = others.get(name)
            try:
                if entry and entry.is_dir(follow_symlinks=selection.follow_links):
                    if selection.everything or name.lower() not in JUNK:
                        # Resolved, so that a file has one path whichever way led to it.
                        at = os.path.realpath(path) if entry.is_symlink() else path
                        below.append((at, f"{relative}{name}/"))
                elif _is_candidate(path, name, entry):
                    yield path
            except OSError as error:
                yield Failure(Path(path), reason(error))
        pending.extend(reversed(below))


def _listed(folder: str) -> tuple[list[str], dict[str, os.DirEntry[str]]]:
    """The names in a folder, sorted, and the entries of those that are no regular files.

    An entry takes ten times the memory of its name, and a folder may hold very many files.
    """
    names, others = [], {}
    with os.scandir(folder) as scan:
        for entry in scan:
            names.append(entry.name)
            if not _is_regular(entry):
                others[entry.name] = entry
    return sorted(names), others


def _is_regular(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:  # raised again, and told of, when it is its turn
        return False


def _is_candidate(path: str, name: str, entry: os.DirEntry[str] | None) -> bool:
    """Whether what is no folder is a file of a known format; raises OSError if unclear.

    `entry` is None for a regular file.
    """
    suffix = _suffix(name)
    if suffix and suffix not in SUFFIXES:
        return False
    # A pipe, a socket, a device: opening one could wait for ever.
    if entry and not entry.is_file():
        if suffix and entry.is_symlink() and not Path(path).exists():
            raise OSError(0, "the link points to nothing")
        return False
    return bool(suffix) or _sniffs(path)


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


def reason(error: OSError) -> str:
    """What happened, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "it vanished meanwhile"
    return (error.strerror or str(error)).lower()
