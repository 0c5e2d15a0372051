"""Identify image files by path and by content."""

import hashlib
import os
from functools import partial
from io import BufferedReader
from pathlib import Path


def image_id(path: Path) -> str:
    """Return the id of a canonical path: 128 bits of BLAKE2b over its bytes, as 32 hex digits.

    Paths are bytes to the operating system and need not be valid Unicode.
    """
    return hashlib.blake2b(os.fsencode(str(path)), digest_size=16).hexdigest()


def content_hash(data: bytes) -> str:
    """Return 128 bits of BLAKE2b over a file's content, as 32 hex digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def file_hash(file: BufferedReader) -> str:
    """Return the `content_hash` of an open file, which is read in chunks."""
    return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=16)).hexdigest()
