"""Types of arrays, and plain data passed between steps: ImageRow, Failure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipsearch.records import ImageRecord

Vectors: TypeAlias = NDArray[np.float32]
"""(n, d) or (d,) float32."""

Pixels: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]
"""One preprocessed image, in the shape that its encoder expects."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A row of a collection: a record and its embedding, (d,) float32 of length 1."""

    record: ImageRecord
    embedding: Vectors


FailureKind: TypeAlias = Literal["missing", "unreadable", "invalid", "changed"]
"""Why a file failed: no such file, not readable, not a usable image, or changed during reading."""


@dataclass(frozen=True, slots=True)
class FailedState:
    """The size (bytes) and mtime of a file that failed, and a hash of the versions and limits."""

    size: int
    mtime_ns: int
    conditions: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be used, with the reason as a lower-case phrase.

    `state` is set if the file would fail again in the same way while that stays the same.
    """

    path: Path
    reason: str
    kind: FailureKind = "unreadable"
    state: FailedState | None = None
