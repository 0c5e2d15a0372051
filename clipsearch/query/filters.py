"""Which pictures may be found, apart from what they show."""

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.files.paths import anchored, canonical
from clipsearch.images.formats import FORMATS, format_named
from clipsearch.store import filters as where
from clipsearch.types import ImageRecord


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that all must hold; the empty one lets every picture through.

    `under`: a folder. `glob`: a pattern in any case, for the name where it has no slash, else for
    the path; "*" crosses slashes, `2023/*.jpg` matches at any depth, `~/2023/*.jpg` and
    `/data/*.jpg` from there (what precedes the first wildcard in the file system's own case).
    `taken_from` (inclusive) and `taken_before` (exclusive): the camera's clock; pictures without a
    date match neither. `formats`: "jpeg", or a suffix such as "jpg" or "heic"; the content counts.
    `tags`: labels that `clipsearch tag` gave, all of them, letter by letter.
    `min_width`, `min_height`: pixels, upright. `min_bytes`, `max_bytes`: of the file, inclusive.
    `expression`: a Milvus filter. Raises UsageError on an unknown format.
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
    expression: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "formats", tuple(map(_format, self.formats)))
        if self.glob is not None:
            object.__setattr__(self, "glob", _whole(self.glob))

    def where(self) -> str:
        """All as a Milvus filter expression ("" for no condition); of the glob only its folder."""
        conditions = [self.expression]
        if self.under is not None:
            conditions.append(where.under(canonical(self.under)))
        if self.glob is not None and (anchor := anchored(self.glob)):
            conditions.append(where.under(anchor[0]))
        if self.taken_from is not None:
            conditions.append(where.taken_from(self.taken_from))
        if self.taken_before is not None:
            conditions.append(where.taken_before(self.taken_before))
        if self.formats:
            conditions.append(where.format_is_one_of(self.formats))
        conditions += map(where.tagged, self.tags)
        for field, bound in (
            ("width", self.min_width),
            ("height", self.min_height),
            ("size", self.min_bytes),
        ):
            if bound is not None:
                conditions.append(where.at_least(field, bound))
        if self.max_bytes is not None:
            conditions.append(where.at_most("size", self.max_bytes))
        return where.every(*conditions)

    def matches_glob(self, record: ImageRecord) -> bool:
        """Whether the photo's path matches the glob; True without one."""
        if self.glob is None:
            return True
        subject = record.path.as_posix() if "/" in self.glob else record.path.name
        return fnmatchcase(subject.lower(), self.glob.lower())


def _format(name: str) -> str:
    if known := format_named(name):
        return known
    raise UsageError(f"unknown format {name!r}: {', '.join(FORMATS)}")


def _whole(glob: str) -> str:
    """A glob with a slash as one for whole paths; stays the same when done again."""
    if anchor := anchored(glob):
        folder, rest = anchor
        return (Path(escape(str(folder))) / rest).as_posix()
    glob = Path(glob).as_posix()
    return f"*/{glob}" if "/" in glob and not glob.startswith("*") else glob
