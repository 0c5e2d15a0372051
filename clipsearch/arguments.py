"""Checks of the arguments that Python callers give; imported without numpy."""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from clipsearch.errors import UsageError, shorten
from clipsearch.records import MAX_RESULTS
from clipsearch.remote_path import locate

T = TypeVar("T")


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


def flag(name: str, value: Any) -> bool:
    """Return a truth value, also one of numpy, as a bool; raise UsageError on anything else."""
    if isinstance(value, bool):
        return value
    if type(value).__name__ in ("bool", "bool_") and getattr(value, "shape", None) == ():
        return bool(value)
    raise UsageError(f"{name} must be True or False, not {show(value)}")


def page(limit: Any, offset: Any) -> tuple[int, int]:
    """Return limit and offset as ints; raise UsageError unless a search can return that page."""
    limit, offset = integer("limit", limit), integer("offset", offset)
    if limit < 1:
        raise UsageError(f"the limit must be at least 1, not {show(limit)}")
    if offset < 0:
        raise UsageError(f"the offset must be 0 or more, not {show(offset)}")
    if limit > MAX_RESULTS:
        raise UsageError(f"the limit must be at most {MAX_RESULTS:,}, not {show(limit)}")
    if offset + limit > MAX_RESULTS:
        raise UsageError(
            f"offset + limit must be at most {MAX_RESULTS:,}: the limit is {limit:,}, "
            f"the offset {show(offset)}"
        )
    return limit, offset


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


def paths(name: str, value: Any) -> list[Path]:
    """Return paths, or a single one, as a list; raise UsageError on anything else."""
    kind = (str, os.PathLike)
    given = sequence(name, value, kind, "paths")
    return [path if isinstance(path, Path) else locate(os.fsdecode(path)) for path in given]


def flat_paths(name: str, values: tuple[Any, ...]) -> list[Path]:
    """Return the paths of a call, either each an argument or all in one list."""
    is_list = len(values) == 1 and not isinstance(values[0], str | os.PathLike)
    return paths(name, values[0] if is_list else values)


def instance(name: str, value: Any, of: type[T]) -> T:
    """Return a value of this class, a default one for None; raise UsageError on anything else."""
    if value is None:
        return of()
    if not isinstance(value, of):
        raise UsageError(f"{name} must be {of.__name__}(…), not {show(value)}")
    return value


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
