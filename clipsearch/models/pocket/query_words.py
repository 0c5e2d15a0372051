"""The words that a text query asks to find written in images, and their weights.

'the word love' asks for written words and 'a dog on the beach' does not. A bare 'coffee' may mean a
cup or a sign, so reading gets a small weight.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
MAX_LETTERS = 16  # of a word; more are ignored
MAX_WORDS = 6  # of a query; more are ignored
BARE_SHARE = 0.1  # weight of reading in a query of one or two bare words

_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]|(?:^|(?<=\s))['‘]([^'‘’]+)['’](?!\w)")
_ONE_WORD = re.compile(r"\b(?:word (\S+)|number (\d\S*))", re.IGNORECASE)
_SAYING = re.compile(
    r"\b(?:(?:that|which|it|sign|poster|shirt|banner|label|text) (?:says|say|reads)"
    r"|says|saying|labell?ed|titled|the (?:words|text|letters|phrase)"
    r"|(?:sign|poster|banner|label|text|words) reading)\b:?\s*(.+)",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"\s(?:on|in|at|above|below|under|over|behind|near|beside|painted)\s.*")
_WRITING = re.compile(
    r"\b(?:text|words?|writing|written|letters|lettering|sign|signs|caption|label|inscription"
    r"|screenshot|receipt|document|poster|banner)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TextRequest:
    """The written words that a query asks for, normalized, and their share of the query, 0..1.

    `writing` is the share for writing of any kind, 0..1.
    """

    words: tuple[str, ...]
    share: float
    writing: float


def parse_query(query: str) -> TextRequest:
    """Find the words of a query that are to be read: quoted, after "says" or "word", or bare."""
    for texts in (_either(_QUOTED, query), _either(_ONE_WORD, query)[:1], _after_says(query)):
        words = tuple(
            word for text in texts for part in text.split() if (word := normalize_word(part))
        )
        if words:
            return TextRequest(words[:MAX_WORDS], 1.0, 1.0)
    bare = tuple(word for part in query.split() if (word := normalize_word(part)))
    writing = 1.0 if _WRITING.search(query) else 0.0
    if writing or not 1 <= len(bare) <= 2:
        return TextRequest((), 0.0, writing)
    return TextRequest(bare, BARE_SHARE, 0.0)


def normalize_word(word: str) -> str:
    """Reduce a word to ALPHABET: drop case, accents and all other characters."""
    flat = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in flat if character in ALPHABET)


def letter_ids(words: Sequence[str]) -> NDArray[np.int64]:
    """Encode words as (n, 16) int64: 1 is "a", 0 is padding."""
    rows = np.zeros((len(words), MAX_LETTERS), np.int64)
    for row, word in zip(rows, words, strict=True):
        letters = [ALPHABET.index(letter) + 1 for letter in normalize_word(word)[:MAX_LETTERS]]
        row[: len(letters)] = letters
    return rows


def query_arrays(queries: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Encode queries for the text graph: letters (n, 6, 16) and shares (n, 7).

    The first six shares are those of the words, as a vector whose length is `TextRequest.share`;
    the last one is `TextRequest.writing`.
    """
    letters = np.zeros((len(queries), MAX_WORDS, MAX_LETTERS), np.int64)
    shares = np.zeros((len(queries), MAX_WORDS + 1), np.float32)
    for row, query in enumerate(queries):
        request = parse_query(query)
        count = len(request.words)
        if count:
            letters[row, :count] = letter_ids(request.words)
            shares[row, :count] = request.share / count**0.5
        shares[row, MAX_WORDS] = request.writing
    return letters, shares


def _either(pattern: re.Pattern[str], query: str) -> list[str]:
    return [first or second for first, second in pattern.findall(query)]


def _after_says(query: str) -> list[str]:
    match = _SAYING.search(query)
    return [_LOCATION.sub("", f"{match[1]} ")] if match else []
