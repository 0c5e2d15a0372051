"""The words and signs of a text, by which texts are matched; without numpy."""

from __future__ import annotations

import re
from typing import NamedTuple

from clipsearch.ocr.search_form import search_form, without_accents

IDEOGRAPHS = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u3096\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Chinese characters and Japanese kana: there are no spaces between words of these."""

# Vowel signs and the like: Python's \w has only letters and digits.
_MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a03"
    "\u0a3c-\u0a51\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57\u0b82\u0bbe-\u0bcd\u0c00-\u0c04"
    "\u0c3c-\u0c56\u0cbc-\u0cd6\u0d00-\u0d03\u0d3b-\u0d4d\u0dca-\u0ddf\u0e31\u0e34-\u0e3a"
    "\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u17b4-\u17d3\u3099\u309a"
)

# Signs that people search for; all others, such as commas and dashes, only separate words.
_SIGNS = (
    "#$%&+<=>@\u00a2-\u00a5\u00a7\u00a9\u00ae\u00b0\u00b1\u00d7\u00f7\u20a0-\u20cf\u2190-\u22ff"
    "\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
)

_LETTER = rf"[^\W_{IDEOGRAPHS}]"
_TOKEN = re.compile(rf"{_LETTER}+(?:[{_MARKS}]+{_LETTER}*)*|[{IDEOGRAPHS}][{_MARKS}]*|[{_SIGNS}]")

find_tokens = _TOKEN.findall
"""Returns the tokens of a text in search form: words, and single ideographs and signs."""


class Token(NamedTuple):
    """A word or sign of a text: without accents, by which it is found, and as it is written."""

    plain: str
    exact: str


def to_tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of any text, in order."""
    return tuple(Token(plain_form(exact), exact) for exact in find_tokens(search_form(text)))


def plain_form(token: str) -> str:
    """Return a token without accents."""
    return token if token.isascii() else without_accents(token)
