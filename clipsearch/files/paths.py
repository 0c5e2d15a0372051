"""What makes an image file itself: where it is, and what is in it."""

import os
import re
from itertools import takewhile
from pathlib import Path

_WILDCARD = re.compile(r"[*?\[]")


def is_file(path: Path) -> bool:
    """Whether a regular file can be seen there; never raises."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises, say of a name too long


def is_folder(path: Path) -> bool:
    """Whether a folder can be seen there; never raises."""
    return os.path.isdir(path)  # noqa: PTH112 - as above


def expand_user(path: Path) -> Path:
    """The path with `~` or `~user` in front replaced; as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises of "~$x.jpg"


def canonical(path: Path) -> Path:
    """Where a collection files a path: a folder wholly resolved, a file under its own name.

    So one file reached over two spellings is one row, while a link to a file stays where it is.
    Never raises: what cannot be seen is no folder.
    """
    path = expand_user(path)
    try:
        if is_folder(path):
            return Path(os.path.realpath(path))
        return Path(os.path.realpath(path.parent), path.name)
    except ValueError:  # a NUL inside
        return path.absolute()


def anchored(glob: str) -> tuple[Path, str] | None:
    """An absolute glob as the canonical folder before its first wildcard and the rest, with "/".

    None for a relative one. `~` is expanded; the last name stays in the rest.
    """
    pattern = expand_user(Path(glob))
    if not pattern.is_absolute():
        return None
    folder = Path(*takewhile(lambda name: not _WILDCARD.search(name), pattern.parent.parts))
    return canonical(folder), pattern.relative_to(folder).as_posix()
