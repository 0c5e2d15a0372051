"""Parsers of option values that are more than a number."""

import math
import re
from datetime import datetime
from typing import Literal

import click

from clipsearch.errors import UsageError, shorten
from clipsearch.query.moment import parse_moment
from clipsearch.query.place import Near, parse_near

FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

MAX_BYTES = 2**63
"""The store holds sizes as signed integers of 64 bits."""


def byte_size(text: str) -> int:
    """Parse a number of bytes such as `500kB`, `2MB` or `1500`; raise BadParameter otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.lower())
    if not match:
        raise click.BadParameter(f"{text!r} is not a size: write 500kB or 2MB")
    size = float(match[1]) * FACTORS[match[2]]
    if size >= MAX_BYTES:
        raise click.BadParameter(f"{shorten(text)!r} is larger than any file")
    return round(size)


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
