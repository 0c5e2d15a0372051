"""Filters: which images a query, a classification or a tag run considers; without numpy."""

import os
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import Any

from clipsearch import arguments
from clipsearch.errors import UsageError, shorten
from clipsearch.files.paths import anchored, compose
from clipsearch.images.formats import FORMATS, format_named
from clipsearch.query.moment import as_moment
from clipsearch.query.place import Near
from clipsearch.records import ImageRecord
from clipsearch.remote_path import locate


def _as_near(value: object) -> Near:
    if isinstance(value, Near):
        return value
    if isinstance(value, tuple | list) and len(value) == 3:
        return Near(*value)
    raise UsageError(f"near is latitude, longitude and kilometers, not {shorten(repr(value))}")


def _normalize_format(name: str) -> str:
    if known := format_named(name):
        return known
    raise UsageError(f"unknown format {name!r}: use one of {', '.join(FORMATS)}")


def _anchor_glob(glob: str) -> str:
    """Make a glob with a slash match full paths; applying this twice changes nothing more."""
    if anchor := anchored(glob):
        folder, rest = anchor
        return (Path(escape(str(folder))) / rest).as_posix()
    glob = Path(glob).as_posix()
    return f"*/{glob}" if "/" in glob and not glob.startswith("*") else glob


def _as_path(name: str, value: Any) -> Path:
    if isinstance(value, str | os.PathLike):
        return locate(value)
    raise UsageError(f"the {name} must be a path, not {arguments.show(value)}")


def _as_size(name: str, value: Any) -> int:
    size = arguments.integer(name, value)
    if not -(2**63) <= size < 2**63:  # the store's integers
        raise UsageError(f"{name} is out of range: {arguments.show(value)}")
    return size


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on a record, all of which must hold; without any, every image passes.

    - `under`: a folder. Here and in `glob`, names are equal in any Unicode form (NFC, NFD).
    - `glob`: a case-insensitive pattern for the file name, or for the path if it has a slash. "*"
      also matches slashes; `2023/*.jpg` matches at any depth, `~/2023/*.jpg` and `/data/*.jpg` only
      there. What precedes the first wildcard keeps the file system's own case.
    - `taken_from` (inclusive), `taken_before` (exclusive): the camera's clock, as datetime, date
      or text. "2015-06" is the first moment of that month. Images without a date match neither.
    - `near`: a `Near`, or a tuple of latitude, longitude (degrees) and distance (kilometers).
    - `camera`: a part of make and model, ignoring case.
    - `formats`: "jpeg", or a suffix such as "jpg" or "heic". The content counts, not the file name.
    - `tags`: tags written by `clipsearch tag`; an image needs all of them, spelled exactly.
    - `min_width`, `min_height`: pixels, upright.
    - `min_bytes`, `max_bytes`: file size, inclusive.
    - `expression`: such as `width > height and not format in ["gif"]`.

    A single format or tag need not be in a tuple. Raises UsageError on an unknown format, a value
    of another type, one that is not a date or place, or an expression that cannot be parsed.
    """

    under: Path | None = None
    glob: str | None = None
    taken_from: datetime | None = None
    taken_before: datetime | None = None
    formats: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    min_width: int | None = None
    min_height: int | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    near: Near | None = None
    camera: str | None = None
    expression: str = ""

    def __post_init__(self) -> None:
        formats = arguments.texts("formats", self.formats)
        object.__setattr__(self, "formats", tuple(map(_normalize_format, formats)))
        object.__setattr__(self, "tags", arguments.texts("tags", self.tags))
        if self.under is not None:
            object.__setattr__(self, "under", _as_path("folder", self.under))
        for name in ("min_width", "min_height", "min_bytes", "max_bytes"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _as_size(name, value))
        object.__setattr__(self, "expression", self.expression or "")
        for name in ("glob", "camera", "expression"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, arguments.text(name, value))
        if self.glob is not None:
            object.__setattr__(self, "glob", _anchor_glob(self.glob))
        for name in ("taken_from", "taken_before"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, as_moment(value))
        if self.near is not None:
            object.__setattr__(self, "near", _as_near(self.near))
        if self.expression:
            # Late: takes 6 ms, and a query through the daemon takes 100.
            from clipsearch.query.expression_parser import parse_expression

            parse_expression(self.expression)

    def matches_glob(self, record: ImageRecord) -> bool:
        """Whether the record's path matches the glob; True without a glob."""
        if self.glob is None:
            return True
        subject = record.path.as_posix() if "/" in self.glob else record.path.name
        return fnmatchcase(fold(subject), fold(self.glob))


def fold(text: str) -> str:
    """Return what a name is compared by: without case, in one Unicode form."""
    return compose(compose(text).lower())


NO_FILTERS = Filters()
