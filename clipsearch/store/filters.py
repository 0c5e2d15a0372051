"""Filter expressions that mean the same on every Milvus, with safely quoted values.

Each function returns one expression, here called a condition; `all_of` and `any_of` combine
conditions. Milvus 2.3 has no filter templates. Milvus Lite supports escapes in strings only for
the quote and the backslash.
"""

import operator
import os
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from clipsearch.errors import UsageError
from clipsearch.remote_path import RemotePath
from clipsearch.store.numbers import NO_VALUE, encode_time
from clipsearch.store.schema import (
    ID_LENGTH,
    TAGS,
    as_uri,
    encode_path,
    needs_uri,
)

INTEGER_FIELDS = ("size", "mtime_ns", "width", "height", "taken_at", "latitude", "longitude")

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
"""Comparisons as Milvus writes them."""

EVERYTHING, NOTHING = 'id != ""', 'id == ""'
"""Conditions that match all images and none; Milvus has no constants."""

HAS_TAGS = f'{TAGS}[0] >= ""'
"""Matches images with tags; Milvus Lite 2.5 has no `array_length`."""


def quote(text: str) -> str:
    """Return a string literal; raise UsageError on control characters or invalid Unicode.

    These have no escape that works on every Milvus.
    """
    if needs_uri(text):
        raise UsageError(f"a filter cannot hold control characters or invalid Unicode: {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def all_of(*conditions: str) -> str:
    """Require every condition; empty conditions are left out."""
    given = [condition for condition in conditions if condition.strip()]
    return given[0] if len(given) == 1 else " and ".join(f"({condition})" for condition in given)


def any_of(*conditions: str) -> str:
    """Require at least one of the conditions."""
    if len(conditions) == 1:
        return conditions[0]
    return " or ".join(f"({condition})" for condition in conditions)


def in_folder(folder: Path) -> str:
    """Match images in this folder or below it.

    A range of strings is exact; LIKE would need % and _ to be escaped.
    """
    separator = "/" if isinstance(folder, RemotePath) else os.sep
    return path_starts_with(str(folder).rstrip(separator) + separator)


def path_starts_with(prefix: str) -> str:
    """Match images whose path starts with these characters, the last of which is ASCII."""
    # An image whose own name is stored as a URI may lie in a folder that needs none.
    uris = _starts_with("path", as_uri(prefix))
    return uris if needs_uri(prefix) else any_of(_starts_with("path", prefix), uris)


def path_equals(path: Path) -> str:
    """Match the image at exactly this path."""
    return f"path == {quote(encode_path(path))}"


def id_in(ids: Collection[str], condition: str = "") -> str:
    """Match images with one of these ids, and with a condition if one is given.

    Milvus Lite 2.5.1 evaluates `condition and id in […]` wrongly, for images and in searches: where
    the condition matches none of 8,192 rows in sequence, the list is compared with the wrong rows.
    It is right if the list is evaluated first, as Milvus does if the other side has an `or`.
    """
    in_list = _one_of("id", ids)
    return f"{in_list} and ({any_of(f'({condition})', NOTHING)})" if condition else in_list


def id_starts_with(prefix: str) -> str:
    """Match images whose id starts with these hex digits, as in a shortened id."""
    if not prefix or len(prefix) > ID_LENGTH or set(prefix.lower()) - set("0123456789abcdef"):
        raise UsageError(f"{prefix!r} is not the start of an id: give 1 to {ID_LENGTH} hex digits")
    return _starts_with("id", prefix.lower())


def id_not(image_id: str) -> str:
    """Match every image except one."""
    return f"id != {quote(image_id)}"


def random_share(share: float) -> str:
    """Match about this share of all images, above 0 and below 1, always the same ones.

    Ids are hashes, so those below a bound are a random sample that needs no storage.
    """
    return f"id < {quote(f'{int(16**8 * share):08x}')}"


def content_in(hashes: Collection[str]) -> str:
    """Match images whose content hash is one of these."""
    return _one_of("content_hash", hashes)


def content_not(content_hash: str) -> str:
    """Match every image except the copies of one."""
    return f"content_hash != {quote(content_hash)}"


def taken_from(moment: datetime) -> str:
    """Match images taken at this moment or later, by the camera's clock."""
    return f"taken_at >= {encode_time(moment)}"


def taken_before(moment: datetime) -> str:
    """Match images taken before this moment, by the camera's clock; not those without a date."""
    return f"taken_at > {NO_VALUE} and taken_at < {encode_time(moment)}"


def format_in(formats: Collection[str]) -> str:
    """Match images in one of these formats ("jpeg", "png", …)."""
    return _one_of("format", [name.lower() for name in formats])


def text_in(field: str, values: Collection[str]) -> str:
    """Match images whose field of text is one of these."""
    return _one_of(field, values)


def without_value(field: str) -> str:
    """Match images whose date, latitude or longitude is unknown."""
    return f"{_integer_field(field)} == {NO_VALUE}"


def between(field: str, low: int, high: int) -> str:
    """Match images whose field, one of INTEGER_FIELDS, is from `low` to `high`."""
    return f"{at_least(field, low)} and {at_most(field, high)}"


def has_tag(label: str) -> str:
    """Match images with this tag, in this exact spelling."""
    return f"array_contains({TAGS}, {quote(label)})"


def at_least(field: str, value: int) -> str:
    """Match images whose field, one of INTEGER_FIELDS, is `value` or more."""
    return f"{_integer_field(field)} >= {int(value)}"


def at_most(field: str, value: int) -> str:
    """Match images whose field, one of INTEGER_FIELDS, is `value` or less."""
    return f"{_integer_field(field)} <= {int(value)}"


def id_range(low: int, high: int) -> str:
    """Match rows whose id, read as a number, is at least `low` and below `high`."""
    return f'id >= "{low:0{ID_LENGTH}x}" and id <= "{high - 1:0{ID_LENGTH}x}"'


def outside_id_range(low: int, high: int) -> str:
    """Match the rows that `id_range` does not match."""
    return f'id < "{low:0{ID_LENGTH}x}" or id > "{high - 1:0{ID_LENGTH}x}"'


def key_starts_with(prefix: str) -> str:
    """Match catalog entries whose key starts with `prefix`."""
    return _starts_with("key", prefix)


def key_in(keys: Collection[str]) -> str:
    """Match catalog entries with one of these keys."""
    return _one_of("key", keys)


def _starts_with(field: str, prefix: str) -> str:
    # Every prefix here ends in an ASCII character, so the next string differs in that character.
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return f"{field} >= {quote(prefix)} and {field} < {quote(after)}"


def _one_of(field: str, values: Collection[str]) -> str:
    if not values:
        raise UsageError(f"no value to compare {field} with")
    return f"{field} in [{', '.join(map(quote, values))}]"


def _integer_field(field: str) -> str:
    if field not in INTEGER_FIELDS:
        raise UsageError(
            f"{field!r} is not an integer field of an image: use {', '.join(INTEGER_FIELDS)}"
        )
    return field
