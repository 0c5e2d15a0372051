"""Plain data passed between steps: ImageRecord, ImageRow, Hit, Failure."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
"""(n, d) or (d,) float32."""

Pixels: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]
"""One preprocessed image, in the shape that its encoder expects."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """The metadata of an image file in a collection.

    `width` and `height` are in pixels, after rotation by EXIF. `taken_at` is the camera's clock
    from EXIF, without a time zone, or None if the file has none. `format` is the sniffed format in
    lower case ("jpeg", "png", …). `mtime_ns` and `size` (bytes) are those at the time of embedding.
    `tags` are the labels that `clipsearch tag` assigned to this content of the file.
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
    """A row of a collection: a record and its embedding, (d,) float32 of length 1."""

    record: ImageRecord
    embedding: Vectors


FailureKind: TypeAlias = Literal["missing", "unreadable", "invalid", "changed"]
"""Why a file failed: no such file, not readable, not a usable image, or changed during reading."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be used, with the reason as a lower-case phrase."""

    path: Path
    reason: str
    kind: FailureKind = "unreadable"


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result, best first.

    `score` is the cosine similarity, -1..1, comparable within one model only. `z` is the number of
    standard deviations by which the score exceeds that of the collection's median image for this
    query, so it is comparable across models; None if the collection is too small. `textness` is
    how much text the image shows, 0..1; None if the query did not request it.
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
