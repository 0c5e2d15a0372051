"""What makes an image file itself: where it is, and what is in it."""

import hashlib
import os
import re
from functools import partial
from io import BufferedReader
from itertools import takewhile
from pathlib import Path

_WILDCARD = re.compile(r"[*?\[]")


def is_file(path: Path) -> bool:
    """Whether a regular file can be seen there; never raises."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises, say of a name too long


def is_folder(path: Path) -> bool:
    """Whether a folder can be seen there; never raises."""
    return os.path.isdir(path)  # noqa: PTH112 - as above


def expanded(path: Path) -> Path:
    """The path with `~` or `~user` in front replaced; as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises of "~$x.jpg"


def canonical(path: Path) -> Path:
    """Where a collection files a path: a folder wholly resolved, a file under its own name.

    So one file reached over two spellings is one row, while a link to a file stays where it is.
    Never raises: what cannot be seen is no folder.
    """
    path = expanded(path)
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
    pattern = expanded(Path(glob))
    if not pattern.is_absolute():
        return None
    folder = Path(*takewhile(lambda name: not _WILDCARD.search(name), pattern.parent.parts))
    return canonical(folder), pattern.relative_to(folder).as_posix()


def photo_id(path: Path) -> str:
    """The id of a canonical path: 128 bits of BLAKE2b over its bytes, as 32 hex digits.

    Paths are bytes to the operating system and need not be valid Unicode.
    """
    return hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()


def content_hash(data: bytes) -> str:
    """The identity of a file's content: 128 bits of BLAKE2b over all its bytes, as 32 hex digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def file_hash(file: BufferedReader) -> str:
    """`content_hash` of an open file, read in pieces."""
    return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=16)).hexdigest()
