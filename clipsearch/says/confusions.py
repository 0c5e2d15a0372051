"""Characters that readers of images confuse, and the words that one such error makes."""

from collections.abc import Iterator

MIN_LETTERS = 5
"""Shorter words are not varied: too many of their variants are words of their own."""

DIGITS = ("0o", "1i", "1l", "2z", "5s", "6g", "8b", "9g")
"""Digits that look like letters."""

LETTERS = (("i", "l"), ("rn", "m"), ("cl", "d"), ("vv", "w"))
"""Letters that look like others; not in words with digits, as two number plates may differ so."""


def variants(word: str) -> set[str]:
    """Return the words without accents that one error may make of `word`, or that it is of."""
    if len(word) < MIN_LETTERS:
        return set()
    pairs = [(pair[0], pair[1]) for pair in DIGITS]
    if not any(map(str.isdigit, word)):
        pairs += LETTERS
    return {
        variant for pair in pairs for one in (pair, pair[::-1]) for variant in _swap(word, *one)
    }


def _swap(word: str, old: str, new: str) -> Iterator[str]:
    """Yield the word with each occurrence of `old` replaced in turn."""
    at = word.find(old)
    while at >= 0:
        yield word[:at] + new + word[at + len(old) :]
        at = word.find(old, at + 1)
