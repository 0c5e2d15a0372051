"""The nearest spelling that some text has, for a word that none has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clipsearch.says.segment import Segment

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

MIN_LETTERS, MAX_LETTERS = 4, 24


def nearest_word(word: str, segments: Sequence[Segment]) -> str | None:
    """Return the word that one edit makes of a word without accents, the most frequent, or None.

    An edit is a letter too many, too few, exchanged with its neighbor, or replaced.
    """
    if not MIN_LETTERS <= len(word) <= MAX_LETTERS:
        return None
    places = {
        other: sum(segment.count_places(other) for segment in segments)
        for other in dict.fromkeys(_edits(word))
    }
    best = max(places, key=places.__getitem__)
    return best if places[best] else None


def _edits(word: str) -> Iterator[str]:
    for at in range(len(word) + 1):
        left, right = word[:at], word[at:]
        if len(right) > 1:
            yield left + right[1] + right[0] + right[2:]
        if right:
            yield left + right[1:]
        for letter in LETTERS:
            yield left + letter + right
            if right:
                yield left + letter + right[1:]
