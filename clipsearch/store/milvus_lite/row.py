"""A row as Milvus Lite 2.5 stores it: a protobuf message with one FieldData for each field.

The numbers of fields and types are those of schema.proto in Milvus. Functions raise ValueError on
anything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clipsearch.store.schema import Entity

INT64, VARCHAR, ARRAY, JSON, FLOAT_VECTOR = 5, 21, 22, 23, 101
"""Values of the enumeration DataType."""

TYPE, NAME, SCALARS, VECTORS = 1, 2, 3, 4
"""Fields of FieldData."""

LONGS, STRINGS, ARRAYS, OBJECTS = 3, 6, 8, 9
"""Fields of ScalarField, each a message whose field 1 holds the values."""

FLOATS = 2
"""A field of VectorField, a message whose field 1 holds the values."""

SYSTEM_FIELDS = ("RowID", "Timestamp")


def decode_row(row: bytes) -> Entity:
    """Return the values by field, the primary key first; a vector is a (d,) float32 array."""
    fields = dict(_decode_field(field) for field in _repeated(row, 1))
    return {name: value for name, value in fields.items() if name not in SYSTEM_FIELDS}


def row_structure(row: bytes) -> tuple[object, ...]:
    """Return what all rows of a collection have in common: all but the values of their fields.

    Milvus Lite cannot load a collection with a row of another structure.
    """
    return tuple(
        (number, _field_structure(value) if number == 1 and isinstance(value, bytes) else value)
        for number, value in _scan(row)
    )


def _field_structure(field: bytes) -> tuple[object, ...]:
    parts: list[tuple[int, object]] = []
    for number, value in _scan(field):
        part: object = value
        if number == SCALARS and isinstance(value, bytes):
            part = tuple(kind for kind, _ in _scan(value))
            _check_scalars(value)
        elif number == VECTORS and isinstance(value, bytes):
            part = tuple((n, v if isinstance(v, int) else len(v)) for n, v in _scan(value))
        parts.append((number, part))
    return tuple(parts)


def _check_scalars(scalars: bytes) -> None:
    """Raise ValueError on a field that Milvus does not write into a ScalarField."""
    for kind, values in _scan(scalars):
        if not isinstance(values, bytes) or any(number != 1 for number, _ in _scan(values)):
            raise ValueError("the row has a field with values of another kind")
        if kind == ARRAYS:
            for message in _repeated(values, 1):
                if [number for number, _ in _scan(message)] != [STRINGS]:
                    raise ValueError("the row has a list of another kind")
                _check_scalars(message)


@dataclass(frozen=True, slots=True)
class VectorLayout:
    """Where the vector of a row is.

    It starts `from_end` bytes before the end of the row, and has `dim` floats. The bytes of
    `prefix` come before it: name, type and dimension, which are the same in all rows.
    """

    prefix: bytes
    from_end: int
    dim: int


def vector_layout(row: bytes) -> VectorLayout:
    """Find the vector of a row."""
    for field in _repeated(row, 1):
        if _type(field) == FLOAT_VECTOR:
            floats = _vector(field)
            prefix = field[: field.rindex(floats)]
            start = row.rindex(prefix + floats) + len(prefix)
            return VectorLayout(prefix, len(row) - start, len(floats) // 4)
    raise ValueError("the row has no vector")


def _decode_field(field: bytes) -> tuple[str, Any]:
    name, kind = _bytes(field, NAME).decode(), _type(field)
    if kind == FLOAT_VECTOR:
        return name, np.frombuffer(_vector(field), dtype=np.float32)
    scalars = _bytes(field, SCALARS)
    if kind == INT64:
        number, _ = _varint(_bytes(_bytes(scalars, LONGS), 1), 0)
        return name, number - (1 << 64) if number >= 1 << 63 else number
    if kind == VARCHAR:
        return name, _bytes(_bytes(scalars, STRINGS), 1).decode()
    if kind == JSON:
        return name, json.loads(_bytes(_bytes(scalars, OBJECTS), 1))
    if kind == ARRAY:
        strings = _repeated(_bytes(_bytes(scalars, ARRAYS), 1), STRINGS)
        return name, [text.decode() for message in strings for text in _repeated(message, 1)]
    raise ValueError(f"the row has a field of the unknown type {kind}")


def _type(field: bytes) -> int:
    kind = dict(_scan(field)).get(TYPE)
    if not isinstance(kind, int):
        raise ValueError("the row has a field without a type")
    return kind


def _vector(field: bytes) -> bytes:
    return _bytes(_bytes(_bytes(field, VECTORS), FLOATS), 1)


def _bytes(message: bytes, number: int) -> bytes:
    """Return the value of a field that occurs once."""
    [value] = _repeated(message, number)
    return value


def _repeated(message: bytes, number: int) -> list[bytes]:
    """Return the values of a field: messages, texts, or packed numbers."""
    values = [value for found, value in _scan(message) if found == number]
    if not all(isinstance(value, bytes) for value in values):
        raise ValueError("the row has a number in place of a message")
    return cast("list[bytes]", values)


def _scan(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        value, position = _varint(message, position)
        if tag & 7 == 0:
            yield tag >> 3, value
        elif tag & 7 == 2 and position + value <= len(message):
            yield tag >> 3, message[position : position + value]
            position += value
        else:
            raise ValueError("the row is not a message of Milvus")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the integer at a position and the position after it."""
    number = shift = 0
    while position < len(message):
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, position
    raise ValueError("the row ends within a number")
