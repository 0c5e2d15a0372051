"""Values on the command line that are more than a number."""

import math
import re
from typing import Literal

import click

FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def size(text: str) -> int:
    """A number of bytes such as `500kB`, `2MB` or `1500`; raises BadParameter on anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.lower())
    if not match:
        raise click.BadParameter(f"{text!r} is no size: write 500kB or 2MB")
    return round(float(match[1]) * FACTORS[match[2]])


def scale(text: str) -> float | Literal["off"]:
    """A finite number or `off`; raises BadParameter on anything else."""
    if text.strip().lower() == "off":
        return "off"
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise click.BadParameter(f"{text!r} is neither a finite number nor 'off'")
    return number
