"""What a query asks to read on a picture: the words, and how much of the query they are.

'the word love' asks for letters; 'a dog on the beach' does not; a bare 'coffee' may mean a cup or
a sign, and asks a little.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
MAX_LETTERS = 16  # letters of a word that count
MAX_WORDS = 6  # words that count
BARE_SHARE = 0.1  # share of reading in a plain noun

_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]|(?:^|(?<=\s))['‘]([^'‘’]+)['’](?!\w)")
_ONE_WORD = re.compile(r"\b(?:word (\S+)|number (\d\S*))", re.IGNORECASE)
_SAYING = re.compile(
    r"\b(?:(?:that|which|it|sign|poster|shirt|banner|label|text) (?:says|say|reads)"
    r"|says|saying|labell?ed|titled|the (?:words|text|letters|phrase)"
    r"|(?:sign|poster|banner|label|text|words) reading)\b:?\s*(.+)",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\s(?:on|in|at|above|below|under|over|behind|near|beside|painted)\s.*")
_WRITING = re.compile(
    r"\b(?:text|words?|writing|written|letters|lettering|sign|signs|caption|label|inscription"
    r"|screenshot|receipt|document|poster|banner)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TextRequest:
    """Words to be read, in plain letters; `share` of the query for them, 0..1.

    `writing` is how much the query wants any text at all, 0..1.
    """

    words: tuple[str, ...]
    share: float
    writing: float


def parse_query(query: str) -> TextRequest:
    """Find what a query wants to read: quoted words, what "says", or the query itself if bare."""
    for said in (_either(_QUOTED, query), _either(_ONE_WORD, query)[:1], _said(query)):
        words = tuple(
            word for text in said for part in text.split() if (word := normalize_word(part))
        )
        if words:
            return TextRequest(words[:MAX_WORDS], 1.0, 1.0)
    bare = tuple(word for part in query.split() if (word := normalize_word(part)))
    writing = 1.0 if _WRITING.search(query) else 0.0
    if writing or not 1 <= len(bare) <= 2:
        return TextRequest((), 0.0, writing)
    return TextRequest(bare, BARE_SHARE, 0.0)


def normalize_word(word: str) -> str:
    """Reduce a word to what a reader tells apart: a–z and 0–9, without case and accents."""
    flat = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in flat if character in ALPHABET)


def letter_ids(words: Sequence[str]) -> NDArray[np.int64]:
    """Number the letters of words, (n, 16) int64: 0 is none, 1 is "a"."""
    rows = np.zeros((len(words), MAX_LETTERS), np.int64)
    for row, word in zip(rows, words, strict=True):
        letters = [
            ALPHABET.index(character) + 1 for character in normalize_word(word)[:MAX_LETTERS]
        ]
        row[: len(letters)] = letters
    return rows


def query_arrays(queries: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Put queries into the arrays that a text graph takes: letters (n, 6, 16), shares (n, 7).

    The shares are those of the six words, of equal length together, and of any writing.
    """
    letters = np.zeros((len(queries), MAX_WORDS, MAX_LETTERS), np.int64)
    shares = np.zeros((len(queries), MAX_WORDS + 1), np.float32)
    for row, query in enumerate(queries):
        wish = parse_query(query)
        count = len(wish.words)
        if count:
            letters[row, :count] = letter_ids(wish.words)
            shares[row, :count] = wish.share / count**0.5
        shares[row, MAX_WORDS] = wish.writing
    return letters, shares


def _either(pattern: re.Pattern[str], query: str) -> list[str]:
    return [one or other for one, other in pattern.findall(query)]


def _said(query: str) -> list[str]:
    found = _SAYING.search(query)
    return [_AFTER.sub("", f"{found[1]} ")] if found else []
