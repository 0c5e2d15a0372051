"""Orientation, capture time, camera and place from EXIF."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from PIL import Image

from clipsearch.images.timestamps import parse_timestamp

_ORIENTATION, _MAKE, _MODEL, _CHANGED = 0x0112, 0x010F, 0x0110, 0x0132
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_CAPTURE_TIMES = (0x9003, 0x9004)  # DateTimeOriginal, DateTimeDigitized
_GPS_LATITUDE, _GPS_LONGITUDE, _GPS_TIME, _GPS_DATE = 2, 4, 7, 29  # references: one less

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_orientation(image: Image.Image) -> Image.Transpose | None:
    """Return how to transpose an image upright, or None; broken EXIF counts as none."""
    try:
        orientation = image.getexif().get(_ORIENTATION)
        return _TRANSPOSITIONS.get(orientation) if isinstance(orientation, int) else None
    except Exception:  # noqa: BLE001 - broken EXIF of any kind must not make an image fail
        return None


class Exif:
    """The EXIF of an open image; whatever is missing or broken is None."""

    def __init__(self, image: Image.Image) -> None:
        try:
            self._main: Image.Exif = image.getexif()
        except Exception:  # noqa: BLE001 - as above
            self._main = Image.Exif()

    def capture_time(self) -> datetime | None:
        """DateTimeOriginal, DateTimeDigitized or DateTime: the first that is a date."""
        inner = self._directory(_EXIF_IFD)
        values = (*(inner.get(tag) for tag in _CAPTURE_TIMES), self._get(_CHANGED))
        return next(filter(None, map(parse_timestamp, values)), None)

    def gps_time(self) -> datetime | None:
        """The time of the position, in UTC; the start of its day if only that is known."""
        gps = self._directory(_GPS_IFD)
        if not gps:
            return None
        date = gps.get(_GPS_DATE)
        text = date.decode("ascii", "replace") if isinstance(date, bytes) else str(date)
        day = text.strip(" \0")
        time = _numbers(gps.get(_GPS_TIME)) or []
        clock = ":".join(f"{int(number):02}" for number in time) if len(time) == 3 else ""
        return parse_timestamp(f"{day} {clock}") or parse_timestamp(day)

    def camera(self) -> tuple[object, object]:
        """Make and model as they are in the file."""
        return _utf8(self._get(_MAKE)), _utf8(self._get(_MODEL))

    def place(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees."""
        gps = self._directory(_GPS_IFD)
        if not gps:
            return None
        latitude = _degrees(gps, _GPS_LATITUDE, "NS")
        longitude = _degrees(gps, _GPS_LONGITUDE, "EW")
        return None if latitude is None or longitude is None else (latitude, longitude)

    def _get(self, tag: int) -> Any:
        try:
            return self._main.get(tag)
        except Exception:  # noqa: BLE001 - as above
            return None

    def _directory(self, tag: int) -> Mapping[int, Any]:
        try:
            return self._main.get_ifd(tag)
        except Exception:  # noqa: BLE001 - as above
            return {}


def _utf8(value: object) -> object:
    """Text that Pillow decoded as Latin-1; makers that need more than ASCII write UTF-8."""
    try:
        return value.encode("latin-1").decode() if isinstance(value, str) else value
    except UnicodeError:
        return value


def _degrees(gps: Mapping[int, Any], tag: int, directions: str) -> float | None:
    """A coordinate of degrees, minutes and seconds, negative in the second direction."""
    reference = gps.get(tag - 1)
    if isinstance(reference, bytes):
        reference = reference.decode("ascii", "replace")
    direction = str(reference or "").strip(" \0").upper()[:1]
    parts = _numbers(gps.get(tag))
    if parts is None or not direction or direction not in directions or len(parts) > 3:
        return None
    degrees = math.fsum(part / 60.0**power for power, part in enumerate(parts))
    return -degrees if direction == directions[1] else degrees


def _numbers(value: Any) -> list[float] | None:
    """Non-negative finite numbers; None if a rational is x/0 or there is none."""
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    try:
        numbers = [float(number) for number in values]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    is_valid = bool(numbers) and all(math.isfinite(n) and 0 <= n < 1e6 for n in numbers)
    return numbers if is_valid else None
