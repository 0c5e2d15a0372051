"""The strings, numbers, dates and truth values of a filter expression; without numpy."""

import re
from datetime import datetime, timedelta
from fractions import Fraction

from clipsearch.errors import UsageError
from clipsearch.query.expression import TEXT_FIELDS, is_metadata
from clipsearch.query.expression_tokens import Token, refuse
from clipsearch.query.moment import parse_moment

LITERALS = ("string", "number", "boolean")
"""The kinds of tokens that are values."""

_EPOCH = datetime(1970, 1, 1)
_YEARS = range(1800, 2200)
"""Numbers that mean a year: as seconds, each is within an hour of the start of 1970."""

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def to_value(text: str, token: Token, field: str) -> str | Fraction | bool:
    """Return what a token of an expression `text` stands for beside a field.

    Raises UsageError if the field has values of another type.
    """
    if is_metadata(field):
        if token.kind == "boolean":
            return token.text == "true"
        return unquote(text, token) if token.kind == "string" else Fraction(token.text)
    if field == "taken_at":
        return _to_seconds(text, token)
    needed = "string" if field in TEXT_FIELDS else "number"
    if token.kind != needed:
        refuse(text, token.position, f"{field} is compared with a {needed}")
    return unquote(text, token) if needed == "string" else Fraction(token.text)


def unquote(text: str, token: Token) -> str:
    """Return the content of a string; raise UsageError on a wrong escape."""
    for match in _ESCAPE.finditer(token.text, 1, len(token.text) - 1):
        if match[1] not in "\\\"'":
            fault = "a backslash stands before a quote or a backslash only: write it as \\\\"
            refuse(text, token.position + match.start(), fault)
    return _ESCAPE.sub(r"\1", token.text[1:-1])


def _to_seconds(text: str, token: Token) -> Fraction:
    """Return seconds since 1970 by the camera's clock, as they are stored."""
    if token.kind == "string":
        try:
            moment = parse_moment(unquote(text, token))
        except UsageError as error:
            refuse(text, token.position, str(error))
        return Fraction((moment - _EPOCH) // timedelta(seconds=1))
    if token.kind != "number":
        refuse(text, token.position, "taken_at is compared with a date in quotes")
    if token.text.isdecimal() and int(token.text) in _YEARS:
        fault = f'taken_at counts seconds since 1970: write a date in quotes, "{token.text}"'
        refuse(text, token.position, fault)
    return Fraction(token.text)
