"""A column of vectors of any float type, as normalized float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import UsageError
from clipsearch.types import Vectors

LENGTH_ERROR = 1e-3
"""Lengths that differ from 1 by more than this are not a matter of rounding."""


def find_vector_column(schema: Any, name: str | None) -> str:
    """Return the name of the column of vectors of a schema of Arrow: `name`, or the only one.

    Raises UsageError if there is no such column, or several.
    """
    candidates = [field.name for field in schema if _is_vectors(field.type)]
    if name is None and len(candidates) == 1:
        return str(candidates[0])
    if name in candidates:
        return str(name)
    found = f"columns of vectors: {', '.join(candidates)}" if candidates else "there is none"
    if name is None:
        raise UsageError(f"which column holds the vectors? Use --vector-column; {found}")
    if name in schema.names:
        raise UsageError(f"the column {name!r} has {schema.field(name).type}, not vectors; {found}")
    raise UsageError(f"there is no column {name!r}; {found}")


def read_vectors(column: Any, dim: int) -> tuple[Vectors, list[str | None], int]:
    """Return (n, dim) float32 vectors of length 1 of a column of n rows.

    Also returns for each row why it has no usable vector, or None, and how many vectors had another
    length. Rows without a usable vector are zero.
    """
    import pyarrow.compute as pc

    array = column.combine_chunks()
    sizes = pc.list_value_length(array).to_numpy(zero_copy_only=False)
    problems: list[str | None] = [
        None if size == dim else _describe_size(size, dim) for size in sizes
    ]
    fits = np.asarray([problem is None for problem in problems], dtype=bool)
    flat = array.filter(fits).flatten().to_numpy(zero_copy_only=False)
    values = np.asarray(flat, dtype=np.float64).reshape(-1, dim)
    with np.errstate(invalid="ignore"):  # reported below
        largest = np.abs(values).max(axis=1, initial=0, keepdims=True)
        usable = (np.isfinite(largest) & (largest > 0))[:, 0]  # NaN is not finite
        scaled = values[usable] / largest[usable]  # squares of large numbers would overflow
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    vectors = np.zeros((len(problems), dim), dtype=np.float32)
    positions = np.flatnonzero(fits)
    vectors[positions[usable]] = scaled / lengths
    for position, row in zip(positions[~usable], values[~usable], strict=True):
        problems[position] = "its vector is " + ("not finite" if _has_gaps(row) else "zero")
    with np.errstate(over="ignore"):
        original = lengths[:, 0] * largest[usable, 0]
    return vectors, problems, int(np.count_nonzero(np.abs(original - 1) > LENGTH_ERROR))


def _has_gaps(row: NDArray[np.float64]) -> bool:
    return not bool(np.isfinite(row).all())


def _describe_size(size: float, dim: int) -> str:
    if np.isnan(size):
        return "it has no vector"
    return f"its vector has {int(size)} dimensions, and the model {dim}"


def _is_vectors(kind: Any) -> bool:
    import pyarrow.types as types

    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(is_list and types.is_floating(kind.value_type))
