"""Filter expressions as conditions of the store, and their value for one record.

An image without a date or a place matches no comparison of it, nor the negation of one.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, log2

from clipsearch.query.expression import Comparison, HasTag, Junction, Like, Node, is_metadata
from clipsearch.query.metadata_condition import (
    matches_metadata,
    metadata_condition,
    metadata_in,
    metadata_text,
)
from clipsearch.records import ImageRecord
from clipsearch.store import filters
from clipsearch.store.numbers import DEGREE, NO_VALUE, encode_number
from clipsearch.store.schema import encode_path

MAX_LEVELS = 40
"""Levels of a condition: Milvus Lite 2.5.1 refuses 50."""

_INT64 = range(-(2**63), 2**63)
_MISSING_FIELDS = ("taken_at", "latitude", "longitude")
_DEGREES = ("latitude", "longitude")


def expression_condition(node: Node) -> str | None:
    """Return the condition of an expression; None if only `matches_expression` can evaluate it.

    Milvus Lite 2.5.1 has no `not`, so some of its negations are None, and so are patterns that
    Milvus versions interpret differently.
    """
    if _levels(node) > MAX_LEVELS:
        return None
    return _condition(node)


def matches_expression(node: Node, record: ImageRecord) -> bool:
    """Whether an expression is true for a record."""
    if isinstance(node, Junction):
        matches = (matches_expression(part, record) for part in node.parts)
        return all(matches) if node.word == "and" else any(matches)
    if isinstance(node, HasTag):
        return (node.label in record.tags) != node.is_negated
    if isinstance(node, Like):
        text = _text(record, node.field)
        return text is not None and _matches_like(node.pattern, text) != node.is_negated
    if is_metadata(node.field):
        return matches_metadata(node, record)
    if isinstance(node.value, str) and node.other is None:
        return _compare(_text(record, node.field), node.operator, node.value)
    left = encode_number(record, node.field)
    if left == NO_VALUE and node.field in _MISSING_FIELDS:
        return False
    if node.other is None:
        return _compare(Fraction(left), node.operator, _scaled(node))
    right = encode_number(record, node.other)
    if right == NO_VALUE and node.other in _MISSING_FIELDS:
        return False
    return _compare(left, node.operator, right)


def _compare(left: object, operator: str, right: object) -> bool:
    return filters.OPERATORS[operator](left, right)


def _text(record: ImageRecord, field: str) -> str | None:
    if is_metadata(field):
        return metadata_text(record, field)
    return encode_path(record.path) if field == "path" else str(getattr(record, field) or "")


def _scaled(node: Comparison) -> Fraction:
    assert isinstance(node.value, Fraction)
    return node.value * DEGREE if node.field in _DEGREES else node.value


def _levels(node: Node) -> int:
    if not isinstance(node, Junction):
        return 2  # a comparison may become a conjunction
    return ceil(log2(len(node.parts))) + max(map(_levels, node.parts))


def _condition(node: Node) -> str | None:
    if isinstance(node, Junction):
        return _junction(node)
    if isinstance(node, HasTag):
        return None if node.is_negated else filters.has_tag(node.label)
    if is_metadata(node.field):
        return metadata_condition(node)
    if isinstance(node, Like):
        return None if node.is_negated else _like(node)
    present = [
        f"{name} > {NO_VALUE}"
        for name in (node.field, node.other)
        if name is not None and name in _MISSING_FIELDS
    ]
    return filters.all_of(*present, _comparison(node))


def _junction(node: Junction) -> str | None:
    if texts := _equal_texts(node):
        field, values = texts
        return metadata_in(field, values) if is_metadata(field) else filters.text_in(field, values)
    conditions = []
    for part in node.parts:
        condition = _condition(part)
        if condition is None:
            return None
        conditions.append(condition)
    return _balanced(node.word, conditions)


def _equal_texts(node: Junction) -> tuple[str, list[str]] | None:
    """The field and values of `field in [values]`, if a junction is that."""
    pairs = [
        (part.field, part.value)
        for part in node.parts
        if isinstance(part, Comparison) and part.operator == "==" and isinstance(part.value, str)
    ]
    fields = {field for field, _ in pairs}
    if node.word == "and" or len(pairs) < len(node.parts) or len(fields) > 1:
        return None
    if any(part.other for part in node.parts if isinstance(part, Comparison)):
        return None
    return fields.pop(), [value for _, value in pairs]


def _balanced(word: str, conditions: Sequence[str]) -> str:
    """Join conditions as a tree of few levels."""
    if len(conditions) == 1:
        return conditions[0]
    middle = len(conditions) // 2
    left, right = _balanced(word, conditions[:middle]), _balanced(word, conditions[middle:])
    return f"({left}) {word} ({right})"


def _comparison(node: Comparison) -> str:
    if node.other is not None:
        return f"{node.field} {node.operator} {node.other}"
    if isinstance(node.value, str):
        return f"{node.field} {node.operator} {filters.quote(node.value)}"
    number = _scaled(node)
    if number.denominator != 1 and node.operator in ("==", "!="):
        return filters.NOTHING if node.operator == "==" else filters.EVERYTHING
    # x > 1.5 and x > 1 are the same for whole x, and so are x >= 1.5 and x >= 2.
    whole = ceil(number) if node.operator in ("<", ">=") else floor(number)
    if whole in _INT64:
        return f"{node.field} {node.operator} {whole}"
    is_true = _compare(0, node.operator, whole)
    return filters.EVERYTHING if is_true else filters.NOTHING


def _like(node: Like) -> str | None:
    """The condition of a text between "%"; Milvus versions differ in other patterns."""
    literal = node.pattern.strip("%")
    starts, ends = not node.pattern.startswith("%"), not node.pattern.endswith("%")
    if set(literal) & set("%_\\"):
        return None
    if not literal:
        return filters.EVERYTHING if node.pattern else f'{node.field} == ""'
    if starts and ends:
        return f"{node.field} == {filters.quote(literal)}"
    pattern = f"{'' if starts else '%'}{literal}{'' if ends else '%'}"
    return f"{node.field} like {filters.quote(pattern)}"


def _matches_like(pattern: str, text: str) -> bool:
    r"""Whether text matches; "\%" and "\_" are these characters themselves.

    One regular expression for all would take exponential time for a pattern with many "%".
    """
    first, *rest = _literals(pattern)
    start = re.compile(first, re.DOTALL).match(text)
    if not rest or start is None:
        return start is not None and start.end() == len(text)
    position = start.end()
    for literal in rest[:-1]:
        found = re.compile(literal, re.DOTALL).search(text, position)
        if found is None:
            return False
        position = found.end()
    return re.compile(rf"(?:{rest[-1]})\Z", re.DOTALL).search(text, position) is not None


def _literals(pattern: str) -> list[str]:
    """The parts of a pattern between its "%", each as a regular expression of fixed length."""
    literals = [""]
    for part in re.findall(r"\\[%_\\]|.", pattern, re.DOTALL):
        if part == "%":
            literals.append("")
        else:
            literals[-1] += "." if part == "_" else re.escape(part[-1])
    return literals
