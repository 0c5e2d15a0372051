"""The date in a file name, such as IMG-20150607-WA0004 or Screenshot 2024-01-02 at 3.04.05 PM."""

import re
from dataclasses import replace
from datetime import datetime

from clipsearch.files.paths import compose
from clipsearch.images.timestamps import moment
from clipsearch.records import ImageRecord

_FIRST_YEAR = 1990
"""Of a date without separators, which any number of eight digits may look like."""

_SEPARATED = re.compile(
    r"(?<!\d)(?P<year>\d{4})(?P<dash>[-_.])(?P<month>\d\d)(?P=dash)(?P<day>\d\d)(?!\d)", re.ASCII
)
_COMPACT = re.compile(
    r"(?<!\d)(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?![0-9A-SU-Za-z]|T(?!\d))", re.ASCII
)
_JOINED = re.compile(
    r"(?<!\d)(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?:\d{3})?(?![0-9A-Za-z])",
    re.ASCII,
)
_TIME = re.compile(
    r"""
    (?:[T\ _.,-]{1,3}|[\ _](?:at|um|à|a\ las|alle|om|kl\.?)[\ _])
    (?:
        (?P<hour>[0-9]{1,2})(?P<colon>[-.:_h])(?P<minute>[0-9]{2})(?P=colon)(?P<second>[0-9]{2})
        (?:[-._][0-9]{1,6})?
    |
        (?P<joined>[0-9]{6})(?:[0-9]{3})?
    )
    (?![0-9])(?P<half>[\ _\u00a0\u202f]?[AaPp][Mm]\b)?
    """,
    re.VERBOSE,
)
"""A time of day after a date; screenshots of macOS have a word of the user's language before it."""


def with_name_date(record: ImageRecord) -> ImageRecord:
    """Return the record with the date in its file name, if its file has no date inside."""
    if record.taken_at is not None and record.taken_from != "name":
        return record
    taken_at = date_in_name(record.path.name)
    return replace(record, taken_at=taken_at, taken_from="name" if taken_at else "")


def date_in_name(name: str) -> datetime | None:
    """Return the first date in a file name, with the time of day if it follows; None without."""
    stem = compose(name.rpartition(".")[0] or name)
    for pattern in (_SEPARATED, _JOINED, _COMPACT):
        for match in pattern.finditer(stem):
            if pattern is not _SEPARATED and not _stands_alone(stem, match):
                continue
            time = _TIME.match(stem, match.end()) if pattern is not _JOINED else None
            if found := _to_moment(match.groupdict() | (time.groupdict() if time else {})):
                return found
    return None


def _stands_alone(stem: str, match: re.Match[str]) -> bool:
    """Whether a number follows letters only (IMG20150607), and is no part of a hash."""
    before = re.search(r"[0-9A-Za-z]*\Z", stem[: match.start()])
    is_word = before is None or not before[0] or before[0].isalpha()
    return is_word and int(match["year"]) >= _FIRST_YEAR


def _to_moment(parts: dict[str, str | None]) -> datetime | None:
    year, month, day = (int(parts[name] or 0) for name in ("year", "month", "day"))
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    if joined := parts.get("joined"):
        hour, minute, second = (int(joined[at : at + 2]) for at in (0, 2, 4))
    if half := (parts.get("half") or "").strip(" _\u00a0\u202f").lower():
        hour = hour % 12 + (12 if half == "pm" else 0)
    # What follows a date may look like a time of day and be none.
    return moment(year, month, day, hour, minute, second) or moment(year, month, day)
