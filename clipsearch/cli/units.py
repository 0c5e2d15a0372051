"""Values with units on the command line."""

import re

import click

FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def size(text: str) -> int:
    """A number of bytes such as `500kB`, `2MB` or `1500`; raises BadParameter on anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.lower())
    if not match:
        raise click.BadParameter(f"{text!r} is no size: write 500kB or 2MB")
    return round(float(match[1]) * FACTORS[match[2]])
