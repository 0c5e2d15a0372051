"""Tokenizers of converted models, without transformers and open_clip."""

import json
import string
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

from clipsearch.errors import ModelError
from clipsearch.models.base import TextLoss
from clipsearch.models.text_loss import encode_whole, find_loss

Cleaning = Literal["none", "whitespace", "lower", "canonicalize"]
Row = list[int]

START, END = "<start_of_text>", "<end_of_text>"
CACHED_WORDS = 1 << 16

_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Tokenizer(Protocol):
    """Converts each text to a row of token ids, cut to the model's context and not padded."""

    def __call__(self, texts: Sequence[str]) -> list[Row]: ...

    def loss(self, text: str) -> TextLoss | None:
        """What the rows lack of a text; None if nothing."""


def clean(text: str, kind: Cleaning) -> str:
    """Clean a text as open_clip does before it tokenizes.

    Repairs wrongly decoded characters and HTML escapes, then collapses whitespace. "lower" also
    lowercases, and "canonicalize" lowercases and removes punctuation.
    """
    if kind == "none":
        return text
    # Plain ASCII, as nearly every query is, needs no repair; importing ftfy takes longer than
    # everything else here.
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
    """CLIP's tokenizer: byte-pair encoding of words.

    Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units"; Radford et
    al. 2021, section 2.4. In Python, because words are split exactly as by the `regex` module, with
    its definition of letters and case, and because it loads faster than the JSON of a library.
    """

    def __init__(
        self, merges: Sequence[str], *, context: int, cleaning: Cleaning, special: Sequence[str]
    ) -> None:
        import regex

        self._context = context
        self._cleaning = cleaning
        self._letters = _byte_letters()
        self._ranks = {merge: rank for rank, merge in enumerate(merges)}
        pieces = [*self._letters.values()]
        pieces += [f"{letter}</w>" for letter in pieces]
        pieces += [merge.replace(" ", "") for merge in merges]
        pieces += special
        self.ids = {piece: number for number, piece in enumerate(pieces)}
        self._start, self._end = self.ids[special[0]], self.ids[special[1]]
        self._special = {piece: [self.ids[piece]] for piece in special}
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

    def loss(self, text: str) -> TextLoss | None:
        """The end of a text that exceeds the context; every word has tokens."""
        return find_loss(text, self._encode, limit=self._context - 2, unknown=None)

    def _encode(self, text: str) -> Row:
        words = self._words.finditer(clean(text, self._cleaning))
        return [number for word in words for number in self._cached(word.group())]

    def _word(self, word: str) -> Row:
        """The token ids of one word, applying the earliest learned merge first."""
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
        return [self.ids[piece] for piece in pieces]


def _merged(pieces: Sequence[str], pair: str) -> list[str]:
    """Join the two pieces of "left right" wherever they are adjacent, from the left."""
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


def _byte_letters() -> dict[int, str]:
    """A printable letter for each byte: its Latin-1 character, or one from 256 upwards.

    The order determines the token ids: printable bytes come first.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + index) for index, byte in enumerate(others)
    }


class SavedTokenizer:
    """A tokenizer.json of the `tokenizers` library: SentencePiece, WordPiece and others."""

    def __init__(self, file: Path, *, cleaning: Cleaning, zeroed: int | None = None) -> None:
        """Open a file, which includes the truncation.

        The token id `zeroed` is replaced by 0, as open_clip's `strip_sep_token` does.
        """
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{file} cannot be read ({error}): delete its folder") from error
        self._cleaning = cleaning
        self._zeroed = zeroed

    def __call__(self, texts: Sequence[str]) -> list[Row]:
        encodings = self._tokenizer.encode_batch([clean(text, self._cleaning) for text in texts])
        rows: list[Row] = [encoding.ids for encoding in encodings]
        if self._zeroed is not None:
            rows = [[0 if number == self._zeroed else number for number in row] for row in rows]
        return rows

    def loss(self, text: str) -> TextLoss | None:
        """The words without a token of their own, and the end that exceeds the truncation."""
        tokenizer = self._tokenizer
        truncation = tokenizer.truncation
        special = int(tokenizer.num_special_tokens_to_add(is_pair=False))
        limit = int(truncation["max_length"]) - special if truncation else sys.maxsize
        names = (getattr(tokenizer.model, "unk_token", None), "<unk>", "[UNK]")
        ids = (tokenizer.token_to_id(name) for name in names if name)
        unknown = next((number for number in ids if number is not None), None)
        return find_loss(text, self._encode, limit=limit, unknown=unknown)

    def _encode(self, text: str) -> Row:
        return encode_whole(self._tokenizer, clean(text, self._cleaning))


def save_truncated(source: Path, target: Path, context: int) -> None:
    """Copy a tokenizer.json with truncation to `context` tokens and without padding."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(source))
        tokenizer.enable_truncation(context)
        tokenizer.no_padding()
        tokenizer.save(str(target))
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"{source} cannot be read ({error})") from error


def open_tokenizer(folder: Path, fields: Mapping[str, Any]) -> Tokenizer:
    """Open the tokenizer in the folder of a conversion; `fields` come from its manifest."""
    cleaning: Cleaning = fields["cleaning"]
    if fields["kind"] == "saved":
        return SavedTokenizer(folder / "tokenizer.json", cleaning=cleaning, zeroed=fields["zeroed"])
    merges = json.loads((folder / "merges.json").read_text("utf-8"))
    return BytePairs(
        merges, context=fields["context"], cleaning=cleaning, special=fields["special"]
    )
