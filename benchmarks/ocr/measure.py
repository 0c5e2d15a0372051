"""Compare the words that are read in drawn images with those that were written."""

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.ocr.canvas import Sample
from benchmarks.ocr.vocabulary import CJK
from clipsearch.ocr.image_text import ImageText
from clipsearch.ocr.reader import TextReader
from clipsearch.ocr.search_form import search_form, without_accents


@dataclass(slots=True)
class Counts:
    """Words of the images of a kind, by the size of their font: written, and read as written.

    `false` counts words that were read but not written, `words` all that were read, `seconds` the
    time of the processor for all `images`.
    """

    written: Counter[int] = field(default_factory=Counter)
    read: Counter[int] = field(default_factory=Counter)
    false: int = 0
    words: int = 0
    images: int = 0
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)

    def recall(self, low: int = 0, high: int = 1_000_000) -> float:
        """The part of the words of low <= size < high that were read; 1 if there are none."""
        sizes = [size for size in self.written if low <= size < high]
        written = sum(self.written[size] for size in sizes)
        return sum(self.read[size] for size in sizes) / written if written else 1.0

    @property
    def precision(self) -> float:
        """The part of the words that were read which were written; 1 if none was read."""
        return 1 - self.false / self.words if self.words else 1.0


def measure(reader: TextReader, samples: Iterable[Sample]) -> Counts:
    """Read samples and count their words."""
    counts = Counts()
    for sample in samples:
        start = time.process_time()
        text = reader.read(sample.image)
        counts.seconds += time.process_time() - start
        counts.images += 1
        compare(sample, text, counts)
    return counts


def compare(sample: Sample, text: ImageText, counts: Counts) -> None:
    """Add the words of one sample: each that was written counts if it was read as often.

    Words count without case and accents, as in a search. Those of languages without spaces count
    wherever they occur.
    """
    found = Counter(word for line in text.lines for word in words(line.text))
    counts.words += found.total()
    for written in sample.texts:
        for word in words(written.text):
            counts.written[written.size] += 1
            if is_cjk(word):
                at = next((other for other in found if word in other and found[other]), None)
            else:
                at = word if found[word] else None
            if at is None:
                counts.missed.append(f"{word} ({written.size} px)")
                continue
            counts.read[written.size] += 1
            if at == word:
                found[at] -= 1
            else:
                found[at.replace(word, "", 1)] += 1
                found[at] -= 1
    found[""] = 0
    counts.false += found.total()
    counts.invented += found.elements()


def words(text: str) -> list[str]:
    """The words of a text in the form in which they are compared."""
    return re.findall(r"\w+", without_accents(search_form(text)))


_CJK_LETTERS = frozenset("".join(CJK.values())) - frozenset(" \n")


def is_cjk(word: str) -> bool:
    """Whether a word is of a language that is written without spaces."""
    return any(letter in _CJK_LETTERS for letter in word)
