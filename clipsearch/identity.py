"""What makes an image file itself: where it is, and what is in it."""

import hashlib
import os
from pathlib import Path


def canonical(path: Path) -> Path:
    """Where a collection files a path: absolute, parents resolved, the file's own name kept.

    So one file reached over two spellings is one row, while a link to a file stays where it is.
    """
    path = path.expanduser()
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def photo_id(path: Path) -> str:
    """The id of a canonical path: 128 bits of BLAKE2b over its bytes, as 32 hex digits.

    Paths are bytes to the operating system and need not be valid Unicode.
    """
    return hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()


def content_hash(data: bytes) -> str:
    """The identity of a file's content: 128 bits of BLAKE2b over all its bytes, as 32 hex digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()
