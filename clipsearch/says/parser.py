"""The words that images must show, as users write them; without numpy.

RE16 TGK          both words, anywhere in the image
"new york" cafe   a phrase, one word after the other, and a word
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from clipsearch.errors import UsageError, shorten
from clipsearch.ocr.search_form import search_form
from clipsearch.says.tokens import Token, to_tokens

MAX_CHARACTERS = 1_000
MAX_PARTS = 32

_QUOTE = '"\u201c\u201d\u201e\u201f\u00ab\u00bb'
_PART = re.compile(rf"[{_QUOTE}]([^{_QUOTE}]*)[{_QUOTE}]|(\S+)")


@dataclass(frozen=True, slots=True)
class Part:
    """A word or a quoted phrase. A word such as `ikea.com` has several tokens."""

    tokens: tuple[Token, ...]
    is_quoted: bool
    text: str = field(compare=False)
    """The part in search form, for messages."""


def parse_says(text: str) -> tuple[Part, ...]:
    """Return the words and phrases of a text, all of which an image must show.

    Raises UsageError if there are none, or too many.
    """
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"the words to find have more than {MAX_CHARACTERS:,} characters")
    parts = []
    for match in _PART.finditer(search_form(text)):
        quoted, word = match.groups()
        text = word or quoted
        if tokens := to_tokens(text):
            parts.append(Part(tokens, is_quoted=word is None, text=text.strip()))
    if not parts:
        raise UsageError(
            f"{shorten(repr(text))} has no letters, digits or signs: give the words that images "
            "must show"
        )
    if len(parts) > MAX_PARTS:
        raise UsageError(f"at most {MAX_PARTS} words can be searched at once, not {len(parts)}")
    return tuple(dict.fromkeys(parts))
