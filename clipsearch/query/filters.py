"""Which pictures may be found, apart from what they show."""

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from clipsearch.store import filters as where
from clipsearch.types import Photo


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that all must hold; the empty one lets every picture through.

    `under`: a folder. `glob`: a pattern for the whole path, or for the name where it has no slash.
    `taken_from` (inclusive) and `taken_before` (exclusive): the camera's clock; pictures without a
    date match neither. `formats`: sniffed ones, such as "jpeg". `min_width`, `min_height`: pixels,
    upright. `min_bytes`, `max_bytes`: of the file, inclusive. `expression`: a Milvus filter.
    """

    under: Path | None = None
    glob: str | None = None
    taken_from: datetime | None = None
    taken_before: datetime | None = None
    formats: tuple[str, ...] = ()
    min_width: int | None = None
    min_height: int | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    expression: str = ""

    def where(self) -> str:
        """All but the glob, as a Milvus filter expression ("" for no condition)."""
        conditions = [self.expression]
        if self.under is not None:
            conditions.append(where.under(self.under.expanduser().resolve()))
        if self.taken_from is not None:
            conditions.append(where.taken_from(self.taken_from))
        if self.taken_before is not None:
            conditions.append(where.taken_before(self.taken_before))
        if self.formats:
            conditions.append(where.format_is_one_of(self.formats))
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

    def matches_glob(self, photo: Photo) -> bool:
        """Whether the photo's path matches the glob; True without one."""
        if self.glob is None:
            return True
        subject = photo.path.as_posix() if "/" in self.glob else photo.path.name
        return fnmatchcase(subject, self.glob)
