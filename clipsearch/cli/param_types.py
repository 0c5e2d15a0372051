"""Parsers of option values that are more than a number."""

import math
from datetime import datetime
from typing import Any, Literal

import click

from clipsearch.config import parse_size
from clipsearch.errors import UsageError, shorten
from clipsearch.query.moment import parse_moment
from clipsearch.query.place import Near, parse_near
from clipsearch.remote_path import RemotePath, locate

MAX_BYTES = 2**63
"""The store holds sizes as signed integers of 64 bits."""


def byte_size(text: str) -> int:
    """Parse a number of bytes such as `500kB`, `2MB` or `1500`; raise BadParameter otherwise."""
    try:
        size = parse_size(text)
    except ValueError as error:
        raise click.BadParameter(f"{shorten(text)!r} is not a size: write 500kB or 2MB") from error
    if size >= MAX_BYTES:
        raise click.BadParameter(f"{shorten(text)!r} is larger than any file")
    return size


def textness_scale(text: str) -> float | Literal["off"]:
    """Parse a finite number or `off`; raise BadParameter otherwise."""
    if text.strip().lower() == "off":
        return "off"
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise click.BadParameter(f"{text!r} is neither a finite number nor 'off'")
    return number


def moment(text: str) -> datetime:
    """Parse a year, month, day or time; raise BadParameter otherwise."""
    try:
        return parse_moment(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def near(text: str) -> Near:
    """Parse `LAT,LON,KM`; raise BadParameter otherwise."""
    try:
        return parse_near(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


class Location(click.Path):
    """A path, or the URI of an object store, in which "//" stays."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a Path, or a RemotePath."""
        location = locate(value)
        return location if isinstance(location, RemotePath) else super().convert(value, param, ctx)
