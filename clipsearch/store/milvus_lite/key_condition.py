"""Conditions on the primary key alone, evaluated without Milvus."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipsearch.store.filters import OPERATORS

KeyFilter: TypeAlias = Callable[[NDArray[np.bytes_]], NDArray[np.bool_]]
"""Tells which of (n,) keys, as UTF-8, match."""

_LITERAL = r'"(?:[^"\\]|\\["\\])*"'
_TERM = re.compile(
    rf"\(*(\w+) (?:(<=|>=|==|!=|<|>) ({_LITERAL})|in (\[{_LITERAL}(?:, {_LITERAL})*\]))\)*"
)


def compile_condition(condition: str, key: str) -> KeyFilter | None:
    """Return a function that tells which keys match a balanced condition.

    Returns None on a condition that is not a conjunction of comparisons of the field `key` with
    strings. Milvus compares strings by their bytes too.
    """
    tests: list[KeyFilter] = []
    position = 0
    while position < len(condition):
        if position and not condition.startswith(" and ", position):
            return None
        term = _TERM.match(condition, position + 5 if position else 0)
        if term is None or term[1] != key:
            return None
        tests.append(_compile_term(*term.group(2, 3, 4)))
        position = term.end()
    return lambda keys: np.all([np.full(len(keys), fill_value=True), *(t(keys) for t in tests)], 0)


def _compile_term(comparison: str | None, literal: str | None, literals: str | None) -> KeyFilter:
    if literals is not None:
        values = [value.encode() for value in json.loads(literals)]
        return lambda keys: np.isin(keys, values)
    assert comparison is not None
    assert literal is not None
    compare, bound = OPERATORS[comparison], json.loads(literal).encode()
    return lambda keys: np.asarray(compare(keys, bound))
