"""English words, and what the nouns mean: `wordnet/nouns.bin`, made from WordNet 3.0.

`training.packing.build_dictionary` writes the file: a line of JSON that says where the blocks are,
then compressed blocks of lines. A line holds a word with its `Entry`, or a gloss, which defines a
meaning. A look-up decompresses one block of words, and one for each gloss.
"""

import json
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path

from clipsearch.batching import batches
from clipsearch.errors import ModelError
from clipsearch.models.pocket.query_words import normalize_word

FILE = Path(__file__).parent / "wordnet" / "nouns.bin"
BLOCK_LINES = 400
MAX_MEANINGS = 2
BLOCKS_IN_MEMORY = 64

# Endings of inflected words, and what replaces them.
_PLURALS = (("ies", "y"), ("ves", "f"), ("es", ""), ("men", "man"), ("s", ""))
_INFLECTIONS = (
    *_PLURALS,
    *(("ied", "y"), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e")),
    *(("ier", "y"), ("iest", "y"), ("er", ""), ("er", "e"), ("est", ""), ("est", "e")),
    *(("ily", "y"), ("ly", ""), ("like", ""), ("less", "")),
)
SHORTEST_STEM = 3


@dataclass(frozen=True, slots=True)
class Noun:
    """What a noun can mean in an image, at most MAX_MEANINGS, and how many captions name it.

    The captions are those that the model was trained on; large numbers are cut off.
    """

    meanings: Sequence[str]
    captions: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the file: the number of captions with a word, and the numbers of its meanings."""

    captions: int = 0
    numbers: Sequence[int] = ()


class Dictionary:
    """The words of a file, which is opened at the first look-up; thread-safe."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._lines = lru_cache(BLOCKS_IN_MEMORY)(self._read_lines)

    def find_noun(self, name: str) -> Noun | None:
        """The entry of a noun in the singular or plural; None if no image can show its meanings.

        Case, accents, spaces and hyphens do not count: "sea horse" is "Seahorse".
        """
        for form in noun_forms(name):
            if (line := self._line(form)) and line.numbers:
                return Noun(tuple(map(self._gloss, line.numbers)), line.captions)
        return None

    def knows(self, word: str) -> bool:
        """Whether a word is English, in any inflection."""
        word = normalize_word(word)
        forms = (word, *_stems(word, _INFLECTIONS))
        return any(self._line(form) for form in forms)

    def _line(self, word: str) -> Entry | None:
        block = bisect_right(self._blocks.first_words, word) - 1
        if block < 0:
            return None
        lines = self._lines(block)
        place = bisect_left(lines, f"{word}\t")
        if place == len(lines) or not lines[place].startswith(f"{word}\t"):
            return None
        captions, *numbers = map(int, lines[place].split()[1:])
        return Entry(captions, tuple(numbers))

    def _gloss(self, number: int) -> str:
        block, line = divmod(number, BLOCK_LINES)
        return self._lines(len(self._blocks.first_words) + block)[line]

    def _read_lines(self, block: int) -> list[str]:
        blocks = self._blocks
        start, end = blocks.start + blocks.offsets[block], blocks.start + blocks.offsets[block + 1]
        return zlib.decompress(blocks.data[start:end]).decode().split("\n")

    @cached_property
    def _blocks(self) -> "_Blocks":
        try:
            data = self._file.read_bytes()
            head, _, _ = data.partition(b"\n")
            return _Blocks(data, len(head) + 1, **json.loads(head))
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(
                f"{self._file} cannot be read ({error}): install the package again"
            ) from error


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The file, and where its blocks are: those of words come first, then those of glosses.

    Block n lies at `start` + `offsets[n]`; `first_words` are the first words of word blocks.
    """

    data: bytes
    start: int
    first_words: Sequence[str]
    offsets: Sequence[int]


def pack(entries: Mapping[str, Entry], glosses: Sequence[str]) -> bytes:
    """The content of a file: the entries of all words, and the glosses."""
    lines = sorted(
        f"{word}\t{' '.join(map(str, (entry.captions, *entry.numbers)))}"
        for word, entry in entries.items()
    )
    groups = [list(group) for group in batches(lines, BLOCK_LINES)]
    first_words = [group[0].partition("\t")[0] for group in groups]
    groups += [list(group) for group in batches(glosses, BLOCK_LINES)]
    blocks = [zlib.compress("\n".join(group).encode(), 9) for group in groups]
    offsets = [0, *accumulate(map(len, blocks))]
    head = json.dumps({"first_words": first_words, "offsets": offsets})
    return b"\n".join((head.encode(), b"".join(blocks)))


def noun_forms(name: str) -> Iterator[str]:
    """The form in which the file holds a name, and those of its possible singulars."""
    word = normalize_word(name)
    yield word
    yield from _stems(word, _PLURALS)


def _stems(word: str, endings: Sequence[tuple[str, str]]) -> Iterator[str]:
    for ending, replacement in endings:
        stem = word.removesuffix(ending)
        if stem == word or len(stem + replacement) < SHORTEST_STEM:
            continue
        yield stem + replacement
        if not replacement and stem[-1] == stem[-2]:
            yield stem[:-1]  # "running", "bigger"
