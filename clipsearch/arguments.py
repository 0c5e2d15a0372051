"""Checks of the arguments that Python callers give; imported without numpy."""

import math
from collections.abc import Iterable
from typing import Any

from clipsearch.errors import UsageError, shorten


def number(name: str, value: Any) -> float:
    """Return a finite number, also one of numpy, as a float; raise UsageError on anything else."""
    if type(value) is not float and not _is_number(value):
        raise UsageError(f"the {name} must be a finite number, not {show(value)}")
    try:
        result = float(value)
    except OverflowError:  # an integer of more than 308 digits
        result = math.inf
    if not math.isfinite(result):
        raise UsageError(f"the {name} must be a finite number, not {show(value)}")
    return result


def share(name: str, value: Any) -> float:
    """Return a number from 0 to 1 as a float; raise UsageError on anything else."""
    result = number(name, value)
    if not 0 <= result <= 1:
        raise UsageError(f"the {name} must be from 0 to 1, not {show(value)}")
    return result


def integer(name: str, value: Any) -> int:
    """Return a whole number, also one of numpy, as an int; raise UsageError on anything else."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise UsageError(f"the {name} must be a whole number, not {show(value)}")
    try:
        return int(value.__index__())
    except TypeError as error:  # an array of several numbers
        raise UsageError(f"the {name} must be a whole number, not {show(value)}") from error


def sequence(name: str, value: Any, of: type | tuple[type, ...], kind: str) -> tuple[Any, ...]:
    """Return the items of a list, tuple or other iterable, or a single item, as a tuple.

    Raises UsageError unless every item is an instance of `of`; `kind` names these in the plural.
    """
    if isinstance(value, of):
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, bytes | dict):
        raise UsageError(f"the {name} must be {kind}, not {show(value)}")
    items = tuple(value)
    for item in items:
        if not isinstance(item, of):
            raise UsageError(f"the {name} must be {kind}, not {show(item)}")
    return items


def text(name: str, value: Any) -> str:
    """Return a string; raise UsageError on anything else."""
    if not isinstance(value, str):
        raise UsageError(f"the {name} must be a string, not {show(value)}")
    return value


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Return strings, or a single one, as a tuple; raise UsageError on anything else."""
    return tuple(map(str, sequence(name, value, str, "strings")))


def show(value: Any) -> str:
    """Describe a wrong value in one short line."""
    try:
        return shorten(repr(value))
    except ValueError:  # Python converts no integer of more than 4,300 digits
        return f"a number of about {int(value).bit_length() * 3 // 10:,} digits"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    from numbers import Real  # late: only numpy's numbers and wrong values come here

    return isinstance(value, int | Real)
