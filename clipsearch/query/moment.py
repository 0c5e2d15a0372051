"""Dates as people write them: a year, a month, a day or a time."""

import re
from datetime import date, datetime

from clipsearch.errors import UsageError, shorten

FORMS = "2015, 2015-06, 2015-06-07, 2015-06-07T12:00 or 2015-06-07T12:00:30"

_MOMENT = re.compile(
    r"(\d{4})(?:-(\d\d?)(?:-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?)?)?", re.ASCII
)


def parse_moment(text: str) -> datetime:
    """Return the first moment of a year, month, day or minute; raise UsageError on other text.

    There is no time zone, as the camera's clock has none.
    """
    match = _MOMENT.fullmatch(text.strip())
    try:
        if match is not None:
            year, month, day, hour, minute, second = (int(n or 0) for n in match.groups())
            has_month, has_day = match[2] is not None, match[3] is not None
            return datetime(
                year, month if has_month else 1, day if has_day else 1, hour, minute, second
            )
    except ValueError as error:
        raise UsageError(f"{shorten(text)!r} is not a date ({error}): write {FORMS}") from error
    raise UsageError(f"{shorten(text)!r} is not a date: write {FORMS}")


def as_moment(value: datetime | date | str) -> datetime:
    """Return a date, a time without a zone or text as a moment; raise UsageError on others."""
    if isinstance(value, str):
        return parse_moment(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value
        raise UsageError(f"{value} has a time zone, but the camera's clock has none: leave it out")
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise UsageError(f"{shorten(repr(value))} is not a date: give a datetime, or {FORMS} as text")
