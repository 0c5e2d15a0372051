"""What a source says about an image, as values that a collection stores and filters."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from clipsearch.records import Metadata, MetadataValue

MAX_FIELDS = 64
NAME_BYTES = 128
MAX_DEPTH = 8
TEXT_BYTES = 2_048
"""A longer text is cut, and then ends in "…"."""

MAX_NUMBERS = 32
"""A longer list of numbers is an embedding, or something else that nobody searches as text."""

ALL_BYTES = 16_384
"""Of all names and values of one image as JSON; fields beyond that are left out."""

EXACT = 2**53
"""Larger integers are kept as text: Milvus compares numbers as doubles."""


@dataclass(frozen=True, slots=True)
class FieldSelection:
    """Which fields of a source are stored: those in `names`, all for None, none for ()."""

    names: tuple[str, ...] | None = None

    def may_choose(self, column: str) -> bool:
        """Whether a column, or something within it, may be stored."""
        if self.names is None:
            return True
        return any(name == column or name.startswith(f"{column}.") for name in self.names)

    def choose(self, values: Mapping[str, Any]) -> tuple[Metadata, bool]:
        """Return the values to store, and whether one of them was cut or left out as too long.

        See `simple_values` for their form.
        """
        if self.names == ():
            return {}, False
        simple = dict(simple_values(values))
        if self.names is not None:
            simple = {name: simple[name] for name in self.names if name in simple}
        stored = _limit(simple)
        return stored, stored != simple


def simple_values(
    values: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, MetadataValue]]:
    """Yield strings, finite numbers, truth values and times of a JSON object or a Parquet row.

    The names within an inner object are joined with ".", and the items of a list with ", ". Null,
    long lists of numbers and anything else is left out.
    """
    for key, value in values.items():
        name = f"{prefix}{_valid(str(key))}"
        if isinstance(value, Mapping) and prefix.count(".") < MAX_DEPTH:
            yield from simple_values(value, f"{name}.")
        elif (simple := _simple(value)) is not None:
            yield name, simple


def _simple(value: Any) -> MetadataValue | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -EXACT <= value <= EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _simple(int(value) if value == value.to_integral_value() else float(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        if len(value) > MAX_NUMBERS and all(isinstance(item, int | float) for item in value):
            return None
        items = [str(item) for item in value if isinstance(item, str | int | float)]
        return _valid(", ".join(items)) if items else None
    return _valid(value) if isinstance(value, str) else None


def _limit(values: Metadata) -> Metadata:
    kept: dict[str, MetadataValue] = {}
    left = ALL_BYTES
    for long_name, long_value in values.items():
        name = _cut(long_name, NAME_BYTES)
        value = _cut(long_value, TEXT_BYTES) if isinstance(long_value, str) else long_value
        left -= len(json.dumps({name: value}, ensure_ascii=False).encode())
        if left < 0 or len(kept) == MAX_FIELDS:
            break
        kept[name] = value
    return kept


def _valid(text: str) -> str:
    """Replace what is no Unicode character; Milvus stores UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _cut(text: str, most: int) -> str:
    """Cut a text to so many bytes of UTF-8, between two characters."""
    if len(data := text.encode()) <= most:
        return text
    return data[: most - 3].decode("utf-8", "ignore") + "…"
