"""The words, numbers, strings and marks of a filter expression; without numpy."""

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from clipsearch.errors import UsageError, shorten

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d{1,3}(?!\d))?(?![\w.]))
    | (?P<boolean>(?:true|false)(?![\w.]))
    | (?P<name>metadata(?:\.[\w-]+)+|[^\W\d]\w*)
    | (?P<operator><=|>=|==|!=|<|>)
    | (?P<mark>&&|\|\||[()\[\],!])
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_MAX_DIGITS = 400
_FORMS = (
    'write comparisons such as width >= 800, format in ["jpeg", "png"] or path like \'%cat%\', '
    "joined by and, or, not and parentheses"
)


class Token(NamedTuple):
    """A part of an expression: its kind, its text and where it starts."""

    kind: str
    text: str
    position: int


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of an expression and one of kind "end"; raise UsageError on others."""
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            position += len(text[position:]) - len(text[position:].lstrip())
            is_quote = text[position] in "\"'"
            fault = "the string does not end: close the quote" if is_quote else "not understood"
            refuse(text, position, fault)
        kind = match.lastgroup or ""
        token = Token(kind, match[kind], match.start(kind))
        if kind == "number" and len(token.text) > _MAX_DIGITS:
            refuse(text, token.position, f"a number has at most {_MAX_DIGITS} characters")
        yield token
        position = match.end()
    yield Token("end", "", end)


def refuse(text: str, position: int, fault: str) -> NoReturn:
    """Raise a UsageError that says where the fault is, and what is accepted."""
    here = f"at {shorten(text[position : position + 20])!r}" if text[position:] else "at its end"
    raise UsageError(f"the filter, character {position + 1}, {here}: {fault}; {_FORMS}")
