"""The date of creation from an IPTC-IIM block, as JPEG and TIFF files have it."""

import struct
from datetime import datetime

from clipsearch.images.timestamps import parse_timestamp

_DATE, _TIME = (2, 55), (2, 60)  # record and dataset: CCYYMMDD, HHMMSS±HHMM


def iptc_time(block: object) -> datetime | None:
    """Return the time of creation of an IPTC-IIM block, or None."""
    if not isinstance(block, bytes):
        return None
    values: dict[tuple[int, int], bytes] = {}
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        _, record, dataset, length = struct.unpack_from(">BBBH", block, at)
        values.setdefault((record, dataset), block[at + 5 : at + 5 + length])
        at += 5 + length
    date, time = values.get(_DATE, b""), values.get(_TIME, b"")[:6]
    return parse_timestamp(date + b"T" + time) or parse_timestamp(date)
