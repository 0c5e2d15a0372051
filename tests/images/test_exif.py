"""Images are rotated by EXIF, and the capture time is read from it."""

import warnings
from datetime import datetime

import pytest
from PIL import Image

from clipsearch.images.decode import decode
from tests.helpers.image_files import STORED, distance, encoded, rotated, scene


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_images_are_decoded_upright(kind: str, orientation: int) -> None:
    stored, exif = rotated(orientation)
    decoded = decode(encoded(stored, kind, exif=exif.tobytes(), quality=95))
    assert (decoded.width, decoded.height) == decoded.image.size
    assert distance(decoded.image, scene()) < 12
    assert decoded.image.getexif().get(0x0112, 1) == 1, "it would be rotated again"


def test_orientation_in_xmp_is_used_without_exif() -> None:
    stored, _ = rotated(6)
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    assert distance(decode(encoded(stored, "JPEG", xmp=xmp, quality=95)).image, scene()) < 6


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_impossible_orientation_changes_nothing(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert distance(decode(encoded(scene(), "JPEG", exif=exif, quality=95)).image, scene()) < 6


@pytest.mark.parametrize(
    ("original", "digitized", "expected"),
    [
        ("2019:05:01 12:30:59", "2020:01:01 00:00:00", datetime(2019, 5, 1, 12, 30, 59)),
        ("2019-05-01T12:30:59", None, datetime(2019, 5, 1, 12, 30, 59)),
        (None, "2020:01:01 00:00:00", datetime(2020, 1, 1)),
        ("0000:00:00 00:00:00", "2020:01:01 00:00:00", datetime(2020, 1, 1)),
        ("0000:00:00 00:00:00", None, None),
        ("2019:02:30 12:00:00", None, None),
        ("    :  :     :  :  ", None, None),
        ("yesterday", None, None),
        (None, None, None),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF"])
def test_the_capture_time_is_read_from_exif(
    kind: str, original: str | None, digitized: str | None, expected: datetime | None
) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2001:01:01 00:00:00"  # when the file was edited: used without another date
    for tag, text in ((0x9003, original), (0x9004, digitized)):
        if text is not None:
            exif.get_ifd(0x8769)[tag] = text
    assert decode(encoded(scene(), kind, exif=exif.tobytes())).metadata.taken_at == (
        expected or datetime(2001, 1, 1)
    )


def test_broken_exif_is_ignored() -> None:
    for junk in (
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff1",
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about it
            decoded = decode(encoded(scene(), "JPEG", exif=junk, quality=95))
        assert decoded.metadata.taken_at is None
        assert distance(decoded.image, scene()) < 6
