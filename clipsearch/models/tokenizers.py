"""From texts to token numbers, without the libraries that the models come from."""

import json
import string
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

from clipsearch.errors import ModelError

Cleaning = Literal["none", "whitespace", "lower", "canonicalize"]
Row = list[int]

START, END = "<start_of_text>", "<end_of_text>"
CACHED_WORDS = 1 << 16

_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Tokenizer(Protocol):
    """Texts in, one row of token numbers each out: cut to the model's context, not padded."""

    def __call__(self, texts: Sequence[str]) -> list[Row]: ...


def clean(text: str, kind: Cleaning) -> str:
    """What open_clip does to a text before it looks for tokens.

    Mends wrongly decoded letters and HTML escapes, then makes blanks single; "lower" drops the case,
    "canonicalize" punctuation as well.
    """
    if kind == "none":
        return text
    # Plain text, as nearly every query is, has nothing to mend: ftfy takes longer to import than
    # the whole rest.
    if not (text.isascii() and text.isprintable() and "&" not in text):
        import html

        import ftfy

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    if kind == "canonicalize":
        text = text.strip().replace("_", " ").translate(_PUNCTUATION).lower()
        return " ".join(text.split())
    text = " ".join(text.split())
    return text.lower() if kind == "lower" else text


class BytePairs:
    """CLIP's tokenizer: words of bytes, whose most frequent neighbours were merged (Sennrich et al.
    2016, "Neural Machine Translation of Rare Words with Subword Units"; Radford et al. 2021, 2.4).

    In Python, because its splitting follows the `regex` module's idea of letters and its ignorance
    of case to the last character, and because it is ready sooner than a library that parses JSON.
    """

    def __init__(
        self, merges: Sequence[str], *, context: int, cleaning: Cleaning, special: Sequence[str]
    ) -> None:
        import regex

        self._context = context
        self._cleaning = cleaning
        self._letters = _letters_of_bytes()
        self._ranks = {merge: rank for rank, merge in enumerate(merges)}
        pieces = [*self._letters.values()]
        pieces += [f"{letter}</w>" for letter in pieces]
        pieces += [merge.replace(" ", "") for merge in merges]
        pieces += special
        self.numbers = {piece: number for number, piece in enumerate(pieces)}
        self._start, self._end = self.numbers[special[0]], self.numbers[special[1]]
        self._special = {piece: [self.numbers[piece]] for piece in special}
        self._words = regex.compile(
            "|".join(special) + r"|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
            regex.IGNORECASE,
        )
        self._cached: Callable[[str], Row] = lru_cache(CACHED_WORDS)(self._word)

    def __call__(self, texts: Sequence[str]) -> list[Row]:
        rows = []
        for text in texts:
            row = [self._start]
            for word in self._words.finditer(clean(text, self._cleaning)):
                row += self._cached(word.group())
                if len(row) >= self._context:
                    break
            rows.append([*row[: self._context - 1], self._end])
        return rows

    def _word(self, word: str) -> Row:
        """The numbers of one word: its pieces, the earliest learnt merge first."""
        spelled = "".join(self._letters[byte] for byte in word.encode())
        if spelled in self._special:
            return self._special[spelled]
        pieces = [*spelled[:-1], f"{spelled[-1]}</w>"]
        while len(pieces) > 1:
            pairs = {f"{left} {right}" for left, right in pairwise(pieces)}
            first = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if first not in self._ranks:
                break
            pieces = _merged(pieces, first)
        return [self.numbers[piece] for piece in pieces]


def _merged(pieces: Sequence[str], pair: str) -> list[str]:
    """Join the two pieces of "left right" wherever they are neighbours, from the left."""
    left, right = pair.split(" ")
    result: list[str] = []
    position = 0
    while position < len(pieces):
        if pieces[position : position + 2] == [left, right]:
            result.append(left + right)
            position += 2
        else:
            result.append(pieces[position])
            position += 1
    return result


def _letters_of_bytes() -> dict[int, str]:
    """A printable letter for each byte: its own where Latin-1 has one, else one from 256 upwards.

    The order decides the numbers: printable bytes first.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + place) for place, byte in enumerate(others)
    }


class SavedTokenizer:
    """A tokenizer.json of the `tokenizers` library: SentencePiece, WordPiece and their kin."""

    def __init__(self, file: Path, *, cleaning: Cleaning, zeroed: int | None = None) -> None:
        """`file` has the truncation in it; the number `zeroed` becomes 0 (open_clip's
        strip_sep_token).
        """
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{file} cannot be read ({error}): delete its folder") from error
        self._cleaning = cleaning
        self._zeroed = zeroed

    def __call__(self, texts: Sequence[str]) -> list[Row]:
        found = self._tokenizer.encode_batch([clean(text, self._cleaning) for text in texts])
        rows: list[Row] = [encoding.ids for encoding in found]
        if self._zeroed is not None:
            rows = [[0 if number == self._zeroed else number for number in row] for row in rows]
        return rows


def open_tokenizer(folder: Path, described: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that a conversion left in its folder; `described` is what its manifest says."""
    cleaning: Cleaning = described["cleaning"]
    if described["kind"] == "saved":
        return SavedTokenizer(
            folder / "tokenizer.json", cleaning=cleaning, zeroed=described["zeroed"]
        )
    merges = json.loads((folder / "merges.json").read_text("utf-8"))
    return BytePairs(
        merges, context=described["context"], cleaning=cleaning, special=described["special"]
    )
