"""Filter expressions that mean the same on every Milvus, with safely quoted values.

Each function returns one expression, here called a condition; `all_of` and `any_of` combine
conditions. Milvus 2.3 has no filter templates. Milvus Lite supports escapes in strings only for
the quote and the backslash.
"""

import os
import re
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.store.schema import (
    ID_LENGTH,
    NO_TIME,
    TAGS,
    as_uri,
    encode_path,
    encode_time,
    needs_uri,
)

INTEGER_FIELDS = ("size", "mtime_ns", "width", "height", "taken_at")

_STRING = re.compile(
    r"""
    "(?:[^"\\\r\n]|\\["'?abfnrtv\\0-7xuU])*"
    | '(?:[^'\\\r\n]|\\["'?abfnrtv\\0-7xuU])*'
    """,
    re.VERBOSE,
)
"""A string literal of Milvus's grammar (Plan.g4): the escapes of C and no line breaks."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}


def raw_condition(expression: str) -> str:
    """Check that an expression which the user wrote can be combined by `all_of` and `any_of`.

    These put conditions in parentheses. Returns the expression without surrounding spaces. Raises
    UsageError if its quotes or brackets are unbalanced, so that it cannot close our parentheses.
    """
    open_brackets: list[str] = []
    position = 0
    while position < len(expression):
        character = expression[position]
        if character in "\"'":
            literal = _STRING.match(expression, position)
            if literal is None:
                raise UsageError(
                    f"the filter {expression!r} has an unfinished string or an unknown escape "
                    f"at character {position + 1}: close the quote, and write a backslash as \\\\"
                )
            position = literal.end()
            continue
        if character in _CLOSING:
            open_brackets.append(character)
        elif character in _CLOSING.values() and (
            not open_brackets or _CLOSING[open_brackets.pop()] != character
        ):
            raise UsageError(
                f"the filter {expression!r} closes a bracket that is not open, "
                f"at character {position + 1}: balance its brackets"
            )
        position += 1
    if open_brackets:
        raise UsageError(
            f"the filter {expression!r} does not close {open_brackets[-1]!r}: balance its brackets"
        )
    return expression.strip()


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
    return " or ".join(f"({condition})" for condition in conditions)


def in_folder(folder: Path) -> str:
    """Match images in this folder or below it.

    A range of strings is exact; LIKE would need % and _ to be escaped.
    """
    prefix = str(folder).rstrip(os.sep) + os.sep
    # An image whose own name is stored as a URI may lie in a folder that needs none.
    uris = _starts_with("path", as_uri(prefix))
    return uris if needs_uri(prefix) else any_of(_starts_with("path", prefix), uris)


def path_equals(path: Path) -> str:
    """Match the image at exactly this path."""
    return f"path == {quote(encode_path(path))}"


def id_in(ids: Collection[str]) -> str:
    """Match images with one of these ids."""
    return _one_of("id", ids)


def id_starts_with(prefix: str) -> str:
    """Match images whose id starts with these hex digits, as in a shortened id."""
    if not prefix or len(prefix) > ID_LENGTH or set(prefix.lower()) - set("0123456789abcdef"):
        raise UsageError(f"{prefix!r} is not the start of an id: give 1 to {ID_LENGTH} hex digits")
    return _starts_with("id", prefix.lower())


def id_not(image_id: str) -> str:
    """Match every image except one."""
    return f"id != {quote(image_id)}"


def id_below(bound: str) -> str:
    """Match images whose id is less than these hex digits.

    Ids are hashes, so this is a random sample.
    """
    return f"id < {quote(bound)}"


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
    return f"taken_at > {NO_TIME} and taken_at < {encode_time(moment)}"


def format_in(formats: Collection[str]) -> str:
    """Match images in one of these formats ("jpeg", "png", …)."""
    return _one_of("format", [name.lower() for name in formats])


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
