"""Finding the words of a query in the tokens of one text: the definition of what is found.

`TextIndex` finds the same in many texts; this explains where. Pure, and without numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clipsearch.says.confusions import variants
from clipsearch.says.match import (
    MIN_PART,
    Match,
    encode_match,
    image_quality,
    joined,
    splits,
)
from clipsearch.says.parser import Part
from clipsearch.says.tokens import Token


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A part of a query at `tokens[start:end]` of a text; `code` is that of `encode_match`."""

    start: int
    end: int
    code: int


def quality(parts: Sequence[Part], tokens: Sequence[Token]) -> float | None:
    """Return how well a text matches a query, 0..1, or None if it lacks one of the words."""
    codes = [best_code(part, tokens) for part in parts]
    return image_quality(codes, in_order=in_order(parts, tokens)) if all(codes) else None


def best_code(part: Part, tokens: Sequence[Token]) -> int:
    """Return the best match of a part of a query in a text, 0 for none."""
    return max((found.code for found in occurrences(part, tokens)), default=0)


def in_order(parts: Sequence[Part], tokens: Sequence[Token]) -> bool:
    """Whether all words of a query follow each other in a text as they do in the query."""
    wanted = [token.plain for part in parts for token in part.tokens]
    size = len(wanted)
    return any(
        all(token.plain == word for token, word in zip(tokens[at:], wanted, strict=False))
        for at in range(len(tokens) - size + 1)
    )


def occurrences(part: Part, tokens: Sequence[Token]) -> Iterator[Occurrence]:
    """Yield each place where a text has a part of a query; some may overlap."""
    wanted = part.tokens
    for start in range(len(tokens) - len(wanted) + 1):
        if code := _sequence_code(part, tokens[start : start + len(wanted)]):
            yield Occurrence(start, start + len(wanted), code)
    if not part.is_quoted:
        yield from _errors([token.plain for token in wanted], [token.plain for token in tokens])


def _errors(wanted: Sequence[str], words: Sequence[str]) -> Iterator[Occurrence]:
    """Yield the places where a reader may have read a word wrongly, or its spaces."""
    is_one = len(wanted) == 1
    similar = variants(wanted[0]) if is_one else set()
    spaced = set(splits(wanted[0])) if is_one else {(joined(wanted),)}
    for start, word in enumerate(words):
        if word in similar:
            yield Occurrence(start, start + 1, encode_match(Match.SIMILAR, is_exact=False))
        for size in (1, 2, 3):
            if tuple(words[start : start + size]) in spaced:
                yield Occurrence(start, start + size, encode_match(Match.SPLIT, is_exact=False))


def _sequence_code(part: Part, tokens: Sequence[Token]) -> int:
    """Return how tokens match those of a part one by one, 0 if they do not."""
    match = compare([token.plain for token in part.tokens], [token.plain for token in tokens])
    if not match or (part.is_quoted and match != Match.WORD):
        return 0
    exact = compare([token.exact for token in part.tokens], [token.exact for token in tokens])
    pairs = zip(part.tokens, tokens, strict=True)
    is_exact = exact == match and all(
        (token.exact == other.exact) == (token.plain == other.plain) for token, other in pairs
    )
    return encode_match(match, is_exact=is_exact)


def compare(wanted: Sequence[str], found: Sequence[str]) -> Match | None:
    """Return how well words match as many others, or None if they do not."""
    if len(wanted) == 1:
        word, other = wanted[0], found[0]
        if word == other:
            return Match.WORD
        if len(word) < MIN_PART or word not in other:
            return None
        return Match.PREFIX if other.startswith(word) else Match.INFIX
    if list(wanted[1:-1]) != list(found[1:-1]):
        return None
    if not found[0].endswith(wanted[0]) or not found[-1].startswith(wanted[-1]):
        return None
    if found[0] != wanted[0]:
        return Match.INFIX
    return Match.WORD if found[-1] == wanted[-1] else Match.PREFIX
