"""Dates and places as integers, which every Milvus stores exactly and compares."""

import calendar
from datetime import datetime, timedelta

from clipsearch.records import ImageRecord

NO_VALUE = -(2**53)
"""An unknown date, latitude or longitude: less than every known one, and exact as a double."""

DEGREE = 10**7
"""Latitude and longitude are stored as integers, in this part of a degree (about 1 cm)."""

_EPOCH = datetime(1970, 1, 1)  # without a time zone, as the camera's clock has none
_SECONDS = range(-62_135_596_800, 253_402_300_800)  # years 1 to 9999; a damaged row may have others


def encode_time(taken_at: datetime | None) -> int:
    """Return the camera's clock in seconds, read as if it were UTC; NO_VALUE for None."""
    return NO_VALUE if taken_at is None else calendar.timegm(taken_at.timetuple())


def encode_degrees(degrees: float | None) -> int:
    """Return a latitude or longitude as an integer; NO_VALUE for None."""
    return NO_VALUE if degrees is None else round(degrees * DEGREE)


def encode_number(record: ImageRecord, field: str) -> int:
    """Return the stored value of an integer field."""
    value = getattr(record, field)
    if field == "taken_at":
        return encode_time(value)
    return encode_degrees(value) if field in ("latitude", "longitude") else int(value)


def decode_time(seconds: int) -> datetime | None:
    """Return the moment that `encode_time` encoded; None for no year from 1 to 9999."""
    return _EPOCH + timedelta(seconds=seconds) if seconds in _SECONDS else None


def decode_degrees(number: int) -> float | None:
    """Return the degrees that `encode_degrees` encoded."""
    return None if int(number) == NO_VALUE else int(number) / DEGREE
