"""Comparisons of what a source says about an image: as conditions, and for one record.

An image without the field, or with a value of another type, matches no comparison of it, nor the
negation of one.
"""

import re
from collections.abc import Sequence

from clipsearch.query.expression import Comparison, Like, metadata_name
from clipsearch.records import ImageRecord, MetadataValue
from clipsearch.store import filters
from clipsearch.store.schema import METADATA, needs_uri

_PLAIN_NAME = re.compile(r"[\w .-]+", re.ASCII)
"""Names that every Milvus finds; others are looked up in the records."""


def metadata_condition(node: Comparison | Like) -> str | None:
    """Return the condition of a comparison; None if only `matches_metadata` can evaluate it."""
    name = metadata_name(node.field)
    if not _PLAIN_NAME.fullmatch(name):
        return None
    field = f'{METADATA}["{name}"]'
    if isinstance(node, Like):
        return _like(field, node)
    literal = _literal(node.value)
    if literal is None:
        return None
    if isinstance(node.value, bool):
        is_true = node.value == (node.operator == "==")
        return f"{field} == {str(is_true).lower()}"
    if node.operator == "!=":  # Milvus's own also matches images without the field
        return filters.any_of(f"{field} < {literal}", f"{field} > {literal}")
    return f"{field} {node.operator} {literal}"


def metadata_in(field: str, values: Sequence[str]) -> str | None:
    """Return the condition that a field is one of some strings; None as in `metadata_condition`."""
    name = metadata_name(field)
    if not _PLAIN_NAME.fullmatch(name) or any(map(needs_uri, values)):
        return None
    return filters.text_in(f'{METADATA}["{name}"]', values)


def metadata_text(record: ImageRecord, field: str) -> str | None:
    """Return a field's string; None if it has none."""
    value = record.metadata.get(metadata_name(field))
    return value if isinstance(value, str) else None


def matches_metadata(node: Comparison, record: ImageRecord) -> bool:
    """Whether a comparison is true for a record."""
    value = record.metadata.get(metadata_name(node.field))
    if _kind(value) != _kind(node.value):
        return False
    wanted: object = node.value
    if _kind(value) is float:
        assert value is not None
        value, wanted = float(value), _to_float(node)
    return filters.OPERATORS[node.operator](value, wanted)


def _kind(value: object) -> type | None:
    """Numbers of every class are comparable with each other, and with nothing else."""
    if value is None or isinstance(value, bool | str):
        return None if value is None else type(value)
    return float


def _to_float(node: Comparison) -> float:
    try:
        return float(node.value)
    except OverflowError:
        return float("inf") if node.value > 0 else float("-inf")  # type: ignore[operator]


def _literal(value: MetadataValue | object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return None if needs_uri(value) else filters.quote(value)
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        return None
    text = str(int(number)) if number.is_integer() and abs(number) <= 2**53 else repr(number)
    return None if "e" in text or "n" in text else text


def _like(field: str, node: Like) -> str | None:
    """Return the condition of the start of a text; Milvus versions differ in other patterns."""
    start = node.pattern[:-1]
    if node.is_negated or not node.pattern.endswith("%") or not start:
        return None
    if set(start) & set("%_\\") or needs_uri(start):
        return None
    return f"{field} like {filters.quote(node.pattern)}"
