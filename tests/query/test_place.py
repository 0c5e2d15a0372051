"""Circles on the globe, near poles and the date line too."""

from math import pi
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.query.moment import as_moment, parse_moment
from clipsearch.query.place import EARTH_KM, Near, parse_near

LATITUDES = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 89.9, 0.0]))
LONGITUDES = st.one_of(st.floats(-180, 180), st.sampled_from([-180.0, 180.0, 179.9, -179.9]))


@given(LATITUDES, LONGITUDES, st.floats(0.01, 25_000), LATITUDES, LONGITUDES)
def test_boxes_hold_every_place_within_the_distance(
    latitude: float, longitude: float, kilometers: float, other: float, east: float
) -> None:
    near = Near(latitude, longitude, kilometers)
    inside = any(
        box.south <= other <= box.north and box.west <= east <= box.east for box in near.boxes()
    )
    assert inside or not near.contains(other, east)
    assert near.contains(latitude, longitude)
    assert not near.contains(None, None)


def test_distances() -> None:
    assert Near(52.52, 13.405, 1).distance(48.137, 11.575) == pytest.approx(504.2, abs=1)
    assert Near(0, 179.9, 1).distance(0, -179.9) == pytest.approx(22.24, abs=0.01)
    assert Near(90, 0, 1).distance(90, 123) == pytest.approx(0, abs=1e-6)
    assert Near(0, 0, 1).distance(0, 180) == pytest.approx(pi * EARTH_KM)


@pytest.mark.parametrize(
    "text",
    ["", "1,2", "1,2,3,4", "a,b,c", "91,0,1", "0,181,1", "0,0,0", "0,0,-1", "nan,0,1", "0,0,inf"],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_near(text)


def test_places_as_text() -> None:
    assert parse_near("48.137, 11.575, 5km") == Near(48.137, 11.575, 5)
    assert parse_near("-33.9,151.2,0.5") == Near(-33.9, 151.2, 0.5)


@pytest.mark.parametrize("text", ["15", "2015-13", "2015-06-31", "07.06.2015", "yesterday", ""])
def test_what_is_no_date_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match="write 2015, 2015-06, 2015-06-07"):
        parse_moment(text)


@pytest.mark.parametrize("value", [2015, "2015-06-07T12:00+02:00", parse_moment])
def test_what_cannot_be_a_date_is_refused(value: Any) -> None:
    with pytest.raises(UsageError):
        as_moment(value)


def test_a_date_stands_for_its_first_moment() -> None:
    assert str(parse_moment("2015")) == "2015-01-01 00:00:00"
    assert str(parse_moment("2015-6")) == "2015-06-01 00:00:00"
    assert str(parse_moment("2015-06-07 12:30")) == "2015-06-07 12:30:00"
    assert str(as_moment(parse_moment("2015").date())) == "2015-01-01 00:00:00"
