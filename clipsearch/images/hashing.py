"""Ids of image files: one by their path, one by their content."""

import hashlib
import os
from functools import partial
from io import BufferedReader
from pathlib import Path


def image_id(path: Path) -> str:
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
