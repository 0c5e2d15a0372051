"""Orientation and capture time from EXIF metadata."""

import re
from datetime import datetime

from PIL import Image

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_CAPTURE_TIMES = (0x9003, 0x9004)  # DateTimeOriginal, DateTimeDigitized

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_exif(image: Image.Image) -> tuple[Image.Transpose | None, datetime | None]:
    """Return how to transpose an image upright, and when it was taken; None if unknown.

    The time is the camera's clock, without a time zone. Broken EXIF counts as none.
    """
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION)
        transposition = _TRANSPOSITIONS.get(orientation) if isinstance(orientation, int) else None
        tags = exif.get_ifd(_EXIF_IFD)
        times = (_parse_time(tags.get(tag)) for tag in _CAPTURE_TIMES)
        return transposition, next(filter(None, times), None)
    except Exception:  # noqa: BLE001 - broken EXIF of any kind must not make an image fail
        return None, None


def _parse_time(value: object) -> datetime | None:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    numbers = re.match(r"\s*(\d{4})\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)", text)
    if numbers is None:
        return None
    try:
        return datetime(*map(int, numbers.groups()))  # type: ignore[arg-type]
    except ValueError:  # 0000:00:00 from cameras whose clock was never set
        return None
