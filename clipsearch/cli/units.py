"""Values with units on the command line."""

import re
from typing import Any

import click

FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


class Bytes(click.ParamType[int]):
    """A number of bytes, such as 500kB, 2MB or 1500."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """`2MB` as 2000000; fails on anything else."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", str(value).lower())
        if not match:
            self.fail(f"{value!r} is no size: write 500kB or 2MB", param, ctx)
        return round(float(match[1]) * FACTORS[match[2]])
