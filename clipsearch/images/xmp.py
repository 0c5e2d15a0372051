"""Capture time, camera and place from XMP, by property, without an XML parser.

XMP in files is often damaged or cut, and a parser would follow entities.
"""

import html
import math
import re
from datetime import datetime

from clipsearch.images.timestamps import parse_timestamp

MAX_BYTES = 1 << 20
"""Bytes that are searched: some programs store whole editing histories and previews after them."""

_TIMES = ("DateTimeOriginal", "DateCreated", "CreateDate", "DateTimeDigitized", "DateTime")
_PROPERTY = re.compile(
    r"\b[A-Za-z][\w-]{0,20}:"
    rf"({'|'.join(_TIMES)}|Make|Model|GPSLatitude|GPSLongitude)\s{{0,20}}"
    r"(?:=\s{0,20}(?:\"([^\"<]{1,200})\"|'([^'<]{1,200})')|>([^<>]{1,200})<)"
)
_COORDINATE = re.compile(r"(\d{1,3})(?:,(\d{1,2}))?(?:,(\d{1,2}))?(\.\d+)?([NSEW])")


class Xmp:
    """The properties of an XMP packet; whatever is missing or broken is None."""

    def __init__(self, packet: object) -> None:
        data = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
        self._values: dict[str, str] = {}
        if isinstance(data, bytes):
            # Without its NULs, the ASCII of UTF-16 and UTF-32 reads as UTF-8.
            text = data[:MAX_BYTES].replace(b"\0", b"").decode("utf-8", "replace")
            for name, *values in _PROPERTY.findall(text):
                value = html.unescape("".join(values)).strip()
                if value:
                    self._values.setdefault(name, value)

    def capture_time(self) -> datetime | None:
        """The first property that is a date: original, created, digitized."""
        values = (self._values.get(name) for name in _TIMES)
        return next(filter(None, map(parse_timestamp, filter(None, values))), None)

    def camera(self) -> tuple[object, object]:
        """Make and model."""
        return self._values.get("Make"), self._values.get("Model")

    def place(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees."""
        latitude = _degrees(self._values.get("GPSLatitude", ""), "NS")
        longitude = _degrees(self._values.get("GPSLongitude", ""), "EW")
        return None if latitude is None or longitude is None else (latitude, longitude)


def _degrees(text: str, directions: str) -> float | None:
    """A coordinate such as `48,8.22N` or `48,8,13N`: degrees, minutes, seconds."""
    match = _COORDINATE.fullmatch(text.replace(" ", "").upper())
    if match is None or match[5] not in directions:
        return None
    parts = [part for part in match.groups()[:3] if part is not None]
    parts[-1] += match[4] or ""
    degrees = math.fsum(float(part) / 60.0**power for power, part in enumerate(parts))
    return -degrees if match[5] == directions[1] else degrees
