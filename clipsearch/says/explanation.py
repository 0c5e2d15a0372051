"""Where an image shows the words of a query: the lines of its text, with their boxes."""

from __future__ import annotations

from collections.abc import Sequence

from clipsearch.ocr.image_text import TextLine
from clipsearch.records import SaysMatch
from clipsearch.says.match import match_of
from clipsearch.says.matcher import occurrences
from clipsearch.says.parser import Part
from clipsearch.says.tokens import Token, to_tokens

MOST_LINES = 50
"""Lines of one image that are returned; a page of print may have a word in each."""


def find_lines(parts: Sequence[Part], lines: Sequence[TextLine]) -> tuple[SaysMatch, ...]:
    """Return the lines with the best matches of each part of a query, in order.

    `match` is that of the part that matches worst there. Returns () if a part is not found.
    """
    tokens: list[Token] = []
    line_of: list[int] = []
    for number, line in enumerate(lines):
        found = to_tokens(line.text)
        tokens += found
        line_of += [number] * len(found)
    codes: dict[int, int] = {}
    for part in parts:
        places = list(occurrences(part, tokens))
        best = max((place.code for place in places), default=0)
        if not best:
            return ()
        for place in places:
            if place.code == best:
                for number in line_of[place.start : place.end]:
                    codes[number] = min(best, codes.get(number, best))
    return tuple(
        SaysMatch(lines[number].text, lines[number].box, match_of(codes[number]).label)
        for number in sorted(codes)[:MOST_LINES]
    )
