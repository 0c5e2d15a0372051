"""A circle on the globe; without numpy."""

from dataclasses import dataclass
from math import asin, cos, degrees, inf, isfinite, pi, radians, sin, sqrt
from typing import NamedTuple

from clipsearch.errors import UsageError, shorten

EARTH_KM = 6371.0088
"""The mean radius of the Earth (IUGG)."""

_MARGIN = 1e-6
"""Degrees by which boxes are larger: more than rounding errors and the store's resolution."""


class Box(NamedTuple):
    """A range of latitudes and of longitudes in degrees; it does not cross the date line."""

    south: float
    north: float
    west: float
    east: float


@dataclass(frozen=True, slots=True)
class Near:
    """The places within some kilometers of one, in degrees; raises UsageError if it is none."""

    latitude: float
    longitude: float
    kilometers: float

    def __post_init__(self) -> None:
        for name, limit in (("latitude", 90), ("longitude", 180), ("kilometers", inf)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UsageError(f"the {name} must be a number, not {shorten(repr(value))}")
            if not isfinite(value):
                raise UsageError(f"the {name} must be a finite number, not {value}")
            if not -limit <= value <= limit:
                raise UsageError(f"the {name} must be from -{limit} to {limit}, not {value}")
        if self.kilometers <= 0:
            raise UsageError(f"the distance must be more than 0 km, not {self.kilometers}")

    def contains(self, latitude: float | None, longitude: float | None) -> bool:
        """Whether a place, in degrees, is within the distance; False for None."""
        if latitude is None or longitude is None:
            return False
        return self.distance(latitude, longitude) <= self.kilometers

    def distance(self, latitude: float, longitude: float) -> float:
        """Return the great-circle distance to a place in kilometers, by the haversine formula."""
        here, there = radians(self.latitude), radians(latitude)
        north = sin((there - here) / 2)
        east = sin(radians(longitude - self.longitude) / 2)
        square = north * north + cos(here) * cos(there) * east * east
        return 2 * EARTH_KM * asin(sqrt(min(1.0, square)))

    def boxes(self) -> list[Box]:
        """Return one or two boxes that together hold every place within the distance."""
        angle = min(pi, self.kilometers / EARTH_KM)
        reach = degrees(angle) + _MARGIN
        south, north = self.latitude - reach, self.latitude + reach
        if south <= -90 or north >= 90:  # the circle holds a pole, so it has every longitude
            return [Box(max(-90, south), min(90, north), -180, 180)]
        width = degrees(asin(min(1.0, sin(angle) / cos(radians(self.latitude))))) + _MARGIN
        west, east = self.longitude - width, self.longitude + width
        if west < -180:
            return [Box(south, north, west + 360, 180), Box(south, north, -180, east)]
        if east > 180:
            return [Box(south, north, west, 180), Box(south, north, -180, east - 360)]
        return [Box(south, north, west, east)]


def parse_near(text: str) -> Near:
    """Return the circle of "LATITUDE,LONGITUDE,KILOMETERS"; raise UsageError on other text."""
    parts = text.lower().removesuffix("km").split(",")
    try:
        latitude, longitude, kilometers = map(float, parts)
    except ValueError as error:
        raise UsageError(
            f"{shorten(text)!r} is not LAT,LON,KM: write degrees and kilometers with decimal "
            "points, south and west negative, such as 48.137,11.575,5"
        ) from error
    return Near(latitude, longitude, kilometers)
