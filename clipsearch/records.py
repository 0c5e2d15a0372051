"""The metadata of a stored image, and a search result; imported without numpy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

MetadataValue: TypeAlias = str | int | float | bool
"""A value that a source gives for an image, such as its license or caption."""

Metadata: TypeAlias = Mapping[str, MetadataValue]
"""Such values by the name of their column or field."""

MAX_RESULTS = 16_384
"""Maximum rows of one query, and of offset + limit of one search, on every Milvus."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """The metadata of an image file in a collection.

    `width` and `height` are in pixels, after rotation by EXIF. `format` is the sniffed format in
    lower case ("jpeg", "png", …). `mtime_ns` and `size` (bytes) are those at the time of embedding.
    `taken_at` is the camera's clock, without a time zone, or None if unknown; `taken_from` says
    where it is from: "exif", "xmp", "iptc", "gps", "png", "container" (HEIC, AVIF), the file's
    "name", or "" if unknown. `tags` are the labels that `clipsearch tag` assigned to this content
    of the file. `camera` is make and model, or "". `latitude` and `longitude` are in degrees, north
    and east positive, or None. `metadata` is what the source says about the image: columns of a
    Parquet file, or fields of the JSON beside it in a tar archive.
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
    taken_from: str = ""
    camera: str = ""
    latitude: float | None = None
    longitude: float | None = None
    metadata: Metadata = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class SaysMatch:
    """A line of text in an image that shows words of a query.

    `text` is the line as it was read. `box` has the corners x1, y1, … x4, y4 of the line as
    fractions of the width and height of the upright image, clockwise from where the text starts.
    `match` is "word", "prefix" or "infix" (a part of a longer word), "split" (a space more or less)
    or "similar" (a character that readers confuse with another); of several words the weakest.
    """

    text: str
    box: tuple[float, float, float, float, float, float, float, float]
    match: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result, best first.

    `score` is the cosine similarity, -1..1, comparable within one model only. `z` is the number of
    standard deviations by which the score exceeds that of the collection's median image for this
    query, so it is comparable across models; None if the collection is too small. `textness` is
    how much text the image shows, 0..1; None if the query did not request it. `says` are the
    lines with the words of `Query.says`. A query of such words alone has no cosine: `score` then is
    the quality of the match, 0..1. `p` is the estimated probability, 0..1, that the image is
    relevant to a query of texts; None for other queries, and if the model is not calibrated.
    """

    record: ImageRecord
    score: float
    z: float | None = None
    textness: float | None = None
    says: tuple[SaysMatch, ...] = ()
    p: float | None = None

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def path(self) -> Path:
        return self.record.path
