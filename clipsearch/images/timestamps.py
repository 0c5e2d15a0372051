"""Dates in metadata: many notations, and values that cannot be the time of an image."""

import re
from datetime import datetime, timedelta
from email.utils import parsedate

EARLIEST = datetime(1826, 1, 1)
"""The oldest photograph that remains is of 1826 or 1827."""

RELEASED = datetime(2026, 11, 1)
"""A clock before this is wrong: computers without a battery start in 1970."""

_UNSET_CLOCKS = {datetime(1904, 1, 1), datetime(1970, 1, 1)}
"""Where the clocks of Macintosh and Unix start."""

_NUMBERS = re.compile(
    r"\s*(\d{4})\D(\d\d?)\D(\d\d?)(?!\d)(?:[T\s]+(\d\d?)\D(\d\d)(?:\D(\d\d)(?!\d))?)?", re.ASCII
)
_COMPACT = re.compile(r"\s*(\d{4})(\d\d)(\d\d)(?!\d)(?:T?(\d\d)(\d\d)(\d\d)?)?", re.ASCII)


def parse_timestamp(value: object) -> datetime | None:
    """Return the local time of a date in EXIF, ISO 8601 or RFC 2822; None if it is none.

    Fractions of seconds and zones are left out: the time is the camera's clock. A date that is
    unset (zeros, blanks), before EARLIEST or in the future is none.
    """
    if not value:
        return None  # as most often: this is called several times for every file
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    text = text[:64]
    if match := _NUMBERS.match(text) or _COMPACT.match(text):
        return moment(*(int(number or 0) for number in match.groups()))
    try:
        parts = parsedate(text)
    except (ValueError, IndexError, TypeError):  # the parser's own, on damaged text
        return None
    return moment(*parts[:6]) if parts else None


def moment(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> datetime | None:
    """Return a time, or None if there is no such time or no image can have it."""
    try:
        time = datetime(year, month, day, hour, minute, second)
    except (ValueError, OverflowError):
        return None
    # A clock may be ahead by a time zone.
    is_possible = EARLIEST <= time <= max(datetime.now(), RELEASED) + timedelta(days=1)
    return time if is_possible and time not in _UNSET_CLOCKS else None
