"""Dates in file names."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.files.name_date import date_in_name, with_name_date
from tests.helpers.records import row

NOON = datetime(2015, 6, 7, 12, 34, 56)
DAY = datetime(2015, 6, 7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG-20150607-WA0004.jpg", DAY),
        ("VID-20150607-WA0004", DAY),
        ("IMG_20150607_123456.jpg", NOON),
        ("IMG_20150607_123456_1.jpg", NOON),
        ("IMG20150607123456.jpg", NOON),
        ("20150607_123456.jpg", NOON),
        ("20150607_123456(0).jpg", NOON),
        ("PXL_20150607_123456789.jpg", NOON),
        ("PXL_20150607_123456789.PORTRAIT.jpg", NOON),
        ("Screenshot_2015-06-07-12-34-56-789_com.app.png", NOON),
        ("Screenshot_20150607-123456.png", NOON),
        ("Screenshot_20150607-123456_Chrome.png", NOON),
        ("Screenshot 2015-06-07 at 12.34.56.png", NOON),
        ("Screen Shot 2015-06-07 at 12.34.56 PM.png", NOON),
        ("Screenshot 2015-06-07 at 1.04.05\u202fPM.png", datetime(2015, 6, 7, 13, 4, 5)),
        ("Screenshot 2015-06-07 at 12.04.05 AM.png", datetime(2015, 6, 7, 0, 4, 5)),
        ("Bildschirmfoto 2015-06-07 um 12.34.56.png", NOON),
        ("Capture d\u2019écran 2015-06-07 a\u0300 12.34.56.png", NOON),
        ("2015-06-07-00001.jpg", DAY),
        ("2015-06-07-1234567.jpg", DAY),
        ("Screenshot from 2015-06-07 12-34-56.png", NOON),
        ("Screenshot 2015-06-07 123456.png", NOON),
        ("Screenshot_2015-06-07.png", DAY),
        ("2015-06-07 12.34.56.jpg", NOON),
        ("2015-06-07 12.34.56-1.jpg", NOON),
        ("signal-2015-06-07-123456.jpg", NOON),
        ("signal-2015-06-07-12-34-56-789.jpg", NOON),
        ("signal-2015-06-07-12-34-56-789-1.jpg", NOON),
        ("WhatsApp Image 2015-06-07 at 12.34.56.jpeg", NOON),
        ("WhatsApp Image 2015-06-07 at 12.34.56 (1).jpeg", NOON),
        ("photo_2015-06-07_12-34-56.jpg", NOON),
        ("2015_06_07 party.jpg", DAY),
        ("20150607T123456Z.jpg", NOON),
        ("IMG_20150607_997654.jpg", DAY),
        ("DSC01234.jpg", None),
        ("IMG_20151332_123456.jpg", None),
        ("IMG_00000000_000000.jpg", None),
        ("IMG_20990607_123456.jpg", None),
        ("FB_IMG_1433635200000.jpg", None),
        ("120150607.jpg", None),
        ("201506071.jpg", None),
        ("2015060712345.jpg", None),
        ("12015-06-07.jpg", None),
        ("2015-06-071.jpg", None),
        ("9f20150607ab.jpg", None),
        ("3f9c20150607.jpg", None),
        ("19450607.jpg", None),
        ("1945-06-07.jpg", datetime(1945, 6, 7)),
        ("2015-06.07.jpg", None),
        ("", None),
    ],
)
def test_dates_in_names(name: str, expected: datetime | None) -> None:
    assert date_in_name(name) == expected


@given(st.text(st.sampled_from("0123456789-_.: T/aPM"), max_size=60))
def test_any_name_has_a_possible_date_or_none(name: str) -> None:
    date = date_in_name(name)
    assert date is None or 1826 <= date.year <= datetime.now().year


def test_a_date_inside_the_file_comes_first_and_another_name_has_another_date() -> None:
    record = row("/a/IMG-20150607-WA0004.jpg").record
    named = with_name_date(record)
    assert (named.taken_at, named.taken_from) == (DAY, "name")
    moved = with_name_date(replace(named, path=Path("/a/b.jpg")))
    assert (moved.taken_at, moved.taken_from) == (None, "")
    dated = replace(record, taken_at=datetime(2001, 1, 1), taken_from="exif")
    assert with_name_date(dated) == dated
