"""Filter expressions that mean the same on every Milvus, with their values quoted safely.

Each function returns one expression; `every` joins them. Milvus 2.3 has no filter templates, and
Milvus Lite takes escapes in strings only for the quote and the backslash.
"""

import os
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.store.schema import ID_LENGTH, NO_TIME, TAGS, as_uri, needs_uri, path_text, seconds

NUMBERS = ("size", "mtime_ns", "width", "height", "taken_at")
"""The fields that hold integers."""


def quote(text: str) -> str:
    """A string literal; raise UsageError on control characters, which have no portable escape."""
    if needs_uri(text):
        raise UsageError(f"a filter cannot hold control characters or broken Unicode: {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def every(*wheres: str) -> str:
    """All of them at once; empty ones (no condition) are left out."""
    given = [where for where in wheres if where.strip()]
    return given[0] if len(given) == 1 else " and ".join(f"({where})" for where in given)


def either(*wheres: str) -> str:
    """At least one of them."""
    return " or ".join(f"({where})" for where in wheres)


def under(folder: Path) -> str:
    """Photos in this folder or below it.

    A range of strings instead of LIKE: it needs no escaping of % and _, and it is exact.
    """
    prefix = str(folder).rstrip(os.sep) + os.sep
    uris = _begins("path", as_uri(prefix))  # a file whose own name is odd, in a folder that is not
    return uris if needs_uri(prefix) else f"({_begins('path', prefix)}) or ({uris})"


def path_is(path: Path) -> str:
    """The photo at exactly this path."""
    return f"path == {quote(path_text(path))}"


def id_is_one_of(ids: Collection[str]) -> str:
    """Photos with these ids."""
    return _one_of("id", ids)


def id_prefix(prefix: str) -> str:
    """Photos whose id begins with these hex digits, as a user types a shortened id."""
    if not prefix or len(prefix) > ID_LENGTH or set(prefix.lower()) - set("0123456789abcdef"):
        raise UsageError(f"{prefix!r} is not the beginning of an id: up to {ID_LENGTH} hex digits")
    return _begins("id", prefix.lower())


def not_id(image_id: str) -> str:
    """All but one photo."""
    return f"id != {quote(image_id)}"


def id_below(bound: str) -> str:
    """Photos whose id is less than these hex digits: a random sample, since ids are hashes."""
    return f"id < {quote(bound)}"


def content_is_one_of(hashes: Collection[str]) -> str:
    """Photos whose bytes have one of these hashes."""
    return _one_of("content_hash", hashes)


def not_content(content_hash: str) -> str:
    """All but the copies of one picture."""
    return f"content_hash != {quote(content_hash)}"


def taken_from(moment: datetime) -> str:
    """Photos taken at this moment or later, by the camera's clock."""
    return f"taken_at >= {seconds(moment)}"


def taken_before(moment: datetime) -> str:
    """Photos taken before this moment, by the camera's clock; not those that do not say."""
    return f"taken_at > {NO_TIME} and taken_at < {seconds(moment)}"


def format_is_one_of(formats: Collection[str]) -> str:
    """Photos in one of these formats ("jpeg", "png", …)."""
    return _one_of("format", [name.lower() for name in formats])


def tagged(label: str) -> str:
    """Photos that have this tag, letter by letter."""
    return f"array_contains({TAGS}, {quote(label)})"


def at_least(field: str, value: int) -> str:
    """Photos whose field, one of NUMBERS, is `value` or more."""
    return f"{_number(field)} >= {int(value)}"


def at_most(field: str, value: int) -> str:
    """Photos whose field, one of NUMBERS, is `value` or less."""
    return f"{_number(field)} <= {int(value)}"


def id_range(low: int, high: int) -> str:
    """Rows whose id, read as a number, is `low` or more and below `high`."""
    return f'id >= "{low:0{ID_LENGTH}x}" and id <= "{high - 1:0{ID_LENGTH}x}"'


def key_prefix(prefix: str) -> str:
    """Catalog entries whose key begins with `prefix`."""
    return _begins("key", prefix)


def _begins(field: str, prefix: str) -> str:
    """`prefix` ends in ASCII here, so that its next string is one character away."""
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return f"{field} >= {quote(prefix)} and {field} < {quote(after)}"


def _one_of(field: str, values: Collection[str]) -> str:
    if not values:
        raise UsageError(f"no value to compare {field} with")
    return f"{field} in [{', '.join(map(quote, values))}]"


def _number(field: str) -> str:
    if field not in NUMBERS:
        raise UsageError(f"{field!r} is not a number of a photo: {', '.join(NUMBERS)}")
    return field
