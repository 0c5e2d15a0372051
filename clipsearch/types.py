"""The plain values that travel between the steps."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
"""(n, d) or (d,) float32."""

Pixels: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]
"""One preprocessed picture, in the shape that its encoder asked for."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What a collection knows about an image file.

    `width` and `height` are in pixels, upright. `taken_at` is the camera's own clock from EXIF,
    without a time zone; None where the file does not say. `format` is the sniffed one, in lower
    case ("jpeg", "png", …). `mtime_ns` and `size` (bytes) are the file's when it was embedded.
    `tags` are the labels that `clipsearch tag` gave to this content of the file.
    """

    id: str
    path: Path
    content_hash: str
    size: int
    mtime_ns: int
    width: int
    height: int
    format: str
    taken_at: datetime | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A row of a collection: a photo and its embedding, (d,) float32 of length 1."""

    record: ImageRecord
    embedding: Vectors


FailureKind: TypeAlias = Literal["missing", "unreadable", "invalid", "changed"]
"""Why a file failed: not there, not readable, not a usable image, or changed while it was read."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be used, with the reason as half a sentence in lower case."""

    path: Path
    reason: str
    kind: FailureKind = "unreadable"


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result, best first.

    `score` is the cosine similarity, -1..1, comparable within one model only. `z` says by how many
    standard deviations the score lies above that of the collection's middle picture for this query,
    and so means the same for every model; None where the collection is too small to say.
    `textness` says how much text the picture shows, 0..1; None where the query did not ask.
    """

    record: ImageRecord
    score: float
    z: float | None = None
    textness: float | None = None

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def path(self) -> Path:
        return self.record.path
