"""Words to draw and to search; a tenth of them is held out for tests."""

import re
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LONGEST = 12


def held_out(word: str) -> bool:
    """Whether a word is held out for tests; ignores case."""
    return zlib.crc32(word.casefold().encode()) % 10 == 0


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words of two sources: WordNet's nouns and captions."""

    nouns: tuple[str, ...]
    caption_words: tuple[str, ...]

    def word(self, rng: np.random.Generator, *, test: bool = False) -> str:
        """Draw a word, a number or a code, from the training or the test part."""
        while True:
            word = self._any(rng)
            if held_out(word) == test:
                return _cased(word, rng)

    def _any(self, rng: np.random.Generator) -> str:
        kind = rng.random()
        if kind < 0.5:
            return self.nouns[int(rng.integers(len(self.nouns)))]
        if kind < 0.75:
            return self.caption_words[int(rng.integers(len(self.caption_words)))]
        if kind < 0.85:
            return str(int(10 ** rng.uniform(0.5, 4.5)))
        if kind < 0.89:
            return f"{rng.choice(['$', '€', '£', ''])}{rng.integers(1, 200)}.{rng.integers(100):02}"
        letters = string.ascii_lowercase if kind < 0.97 else string.ascii_lowercase + string.digits
        return "".join(rng.choice(list(letters), int(rng.integers(2, 9))))


def _cased(word: str, rng: np.random.Generator) -> str:
    kind = rng.random()
    return word.upper() if kind < 0.4 else word.capitalize() if kind < 0.65 else word


def load_vocabulary(nouns: Path, captions: Sequence[str]) -> Vocabulary:
    """Read WordNet's `index.noun` and the words of captions; sorted, without duplicates."""
    fits = re.compile(rf"[a-z]{{2,{LONGEST}}}")
    listed = {line.split(" ", 1)[0] for line in nouns.read_text("utf-8").splitlines()}
    caption_words = {
        word for caption in captions for word in re.findall(r"[a-z]+", caption.lower())
    }
    return Vocabulary(
        tuple(sorted(word for word in listed if fits.fullmatch(word))),
        tuple(sorted(word for word in caption_words if fits.fullmatch(word))),
    )
