"""Precision and recall of `--says` over many texts, with the errors of a reader."""

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.ocr.measure import words
from benchmarks.ocr.vocabulary import (
    LANGUAGES,
    Rng,
    draw_number,
    draw_plate,
    draw_price,
    draw_word,
)
from clipsearch.ocr.search_form import search_form
from clipsearch.says.parser import parse_says
from clipsearch.says.segment import Segment

IMAGES = 2_000
DISTRACTORS = 200
QUERIES = 200
ERROR_RATE = 0.1
"""Of the words: what the reader misreads of 12 pixels."""

WHOLE_WORD = 0.9
"""The quality of a match from which all words of a query were found as whole words."""

_CONFUSED = str.maketrans("0o1li5s8b2z6uc", "o0l11s5b8z2gve")
_LETTERS = list("bcdfghklmnprstvw")
_VOWELS = list("aeiou")


def print_precision(seed: int = 0) -> None:
    """Print a line for each kind of query: precision of whole words, recall of them and of all."""
    rng = np.random.default_rng(seed)
    kinds: dict[str, Callable[[Rng], str]] = {
        "words": _draw_word,
        "numbers": draw_number,
        "plates": draw_plate,
        "phrases": lambda rng: f'"{_draw_word(rng)} {_draw_word(rng)}"',
    }
    wanted = {kind: [draw(rng) for _ in range(QUERIES)] for kind, draw in kinds.items()}
    written: list[list[str]] = [
        [_draw_distractor(rng) for _ in range(DISTRACTORS)] for _ in range(IMAGES)
    ]
    for queries in wanted.values():
        for query in queries:  # in three images each
            for image in rng.choice(IMAGES, 3, replace=False):
                at = int(rng.integers(DISTRACTORS))
                written[image].insert(at, query.strip('"'))
    truth = [_as_words(" ".join(texts)) for texts in written]
    segment = Segment([search_form(" ".join(_misread(rng, texts))) for texts in written])
    print("| query | precision, whole words | recall, whole words | recall |\n|---|--:|--:|--:|")
    for kind, queries in wanted.items():
        rates = " | ".join(f"{rate:.3f}" for rate in _rates(segment, truth, queries))
        print(f"| {kind} | {rates} |")


def _rates(segment: Segment, truth: Sequence[str], queries: Sequence[str]) -> list[float]:
    hits = whole_right = present = found_right = 0
    for query in queries:
        text = search_form(query.strip('"'))
        phrase = query if " " not in text else f'"{text}"'
        there = {image for image, shown in enumerate(truth) if _as_words(text) in shown}
        ids, qualities = segment.search(parse_says(phrase))
        whole = set(ids[qualities >= WHOLE_WORD].tolist())
        hits += len(whole)
        whole_right += len(whole & there)
        found_right += len(there & set(ids.tolist()))
        present += len(there)
    return [whole_right / max(hits, 1), whole_right / present, found_right / present]


def _as_words(text: str) -> str:
    """The words of a text between spaces: a price has two."""
    return f" {' '.join(words(text))} "


def _draw_word(rng: Rng) -> str:
    """An invented word: real ones would occur among the distractors."""
    syllables = int(rng.integers(2, 5))
    return "".join(
        str(rng.choice(_LETTERS)) + str(rng.choice(_VOWELS)) for _ in range(syllables)
    ) + str(rng.choice(_LETTERS))


def _draw_distractor(rng: Rng) -> str:
    """A word of five languages, or an invented one, a number, a price, a plate."""
    kind = int(rng.integers(10))
    if kind < 5:
        return draw_word(rng, list(LANGUAGES)[kind])
    draws = (_draw_word, _draw_word, draw_number, draw_price, draw_plate)
    return draws[kind - 5](rng)


def _misread(rng: Rng, texts: Sequence[str]) -> list[str]:
    """The words with errors: characters confused or lost, words split or joined."""
    result: list[str] = []
    for word in texts:
        if rng.random() >= ERROR_RATE or len(word) < 3:
            result.append(word)
            continue
        at = int(rng.integers(1, len(word)))
        error = int(rng.integers(4))
        if error == 0 and result:
            result[-1] += word
        elif error == 1:
            result.append(f"{word[:at]} {word[at:]}")
        elif error == 2:
            result.append(word[:at] + word[at + 1 :])
        else:
            result.append(word.lower().translate(_CONFUSED))
    return result
