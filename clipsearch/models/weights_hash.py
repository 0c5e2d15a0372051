"""The hash that identifies the weights of a model."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")


def weights_hash(files: Sequence[Path]) -> str:
    """The first 32 hex digits of the SHA-256 of one or more weight files, in their order.

    The hub's cache names large files by their SHA-256, so these are not read.
    """
    hashes = [_sha256(path) for path in files]
    if len(hashes) > 1:
        hashes = [hashlib.sha256("".join(hashes).encode()).hexdigest()]
    return hashes[0][:32]


def _sha256(path: Path) -> str:
    blob = path.resolve()
    if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name):
        return blob.name
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
