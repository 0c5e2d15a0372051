"""The filter expression of a user, as data; `expression_parser` makes it; without numpy."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

TEXT_FIELDS = ("id", "path", "content_hash", "format", "camera", "taken_from")
NUMBER_FIELDS = ("size", "mtime_ns", "width", "height", "taken_at", "latitude", "longitude")
TAGS = "tags"
METADATA = "metadata"
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS, TAGS, METADATA)
"""The fields of an image that an expression may name; metadata only as "metadata.NAME"."""

Operator: TypeAlias = Literal["<", "<=", ">", ">=", "==", "!="]

NEGATED: dict[Operator, Operator] = {
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "==": "!=",
    "!=": "==",
}
MIRRORED: dict[Operator, Operator] = {
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "==": "==",
    "!=": "!=",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with a string, an exact number, a truth value or a field, `other`.

    `other` is another field of numbers. Only fields of metadata are compared with truth values.
    """

    field: str
    operator: Operator
    value: str | Fraction | bool = ""
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Like:
    """A field of text against a pattern: "%" matches any text, "_" one character."""

    field: str
    pattern: str
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class HasTag:
    """Whether the image has a tag."""

    label: str
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Junction:
    """All of the parts, or any of them."""

    word: Literal["and", "or"]
    parts: tuple["Node", ...]


Node: TypeAlias = Comparison | Like | HasTag | Junction


def join(word: Literal["and", "or"], parts: list[Node]) -> Node:
    """Combine parts; those that are joined by the same word become one junction."""
    if len(parts) == 1:
        return parts[0]
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, Junction) and part.word == word else [part]
    return Junction(word, tuple(flat))


def negate(node: Node) -> Node:
    """The opposite, with the negation in the leaves: Milvus Lite has no `not`."""
    if isinstance(node, Comparison):
        return Comparison(node.field, NEGATED[node.operator], node.value, node.other)
    if isinstance(node, Like):
        return Like(node.field, node.pattern, not node.is_negated)
    if isinstance(node, HasTag):
        return HasTag(node.label, not node.is_negated)
    return Junction("or" if node.word == "and" else "and", tuple(map(negate, node.parts)))


def fields_of(node: Node) -> set[str]:
    """The fields that an expression names."""
    if isinstance(node, Junction):
        return set().union(*map(fields_of, node.parts))
    if isinstance(node, HasTag):
        return {TAGS}
    if is_metadata(node.field):
        return {METADATA}
    other = node.other if isinstance(node, Comparison) else None
    return {node.field} if other is None else {node.field, other}


def is_metadata(field: str) -> bool:
    """Whether a field of an expression is one of the metadata."""
    return field.startswith(f"{METADATA}.")


def metadata_name(field: str) -> str:
    """Return the name within the metadata of such a field."""
    return field.removeprefix(f"{METADATA}.")
