"""The same on real pictures: street scenes with signs among everyday photographs."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.textness.measure import SCALES, TOP, until_found
from clipsearch import Hit, Index, Query, Term
from clipsearch.textness import TextnessProbe
from clipsearch.textness.steering import TextnessScale

# Things that everyday photographs show and street scenes do not.
THINGS = (
    "a dog", "a cat", "a horse", "a bird", "an elephant", "a giraffe", "a pizza", "a cake", "fruit",
    "a sandwich", "a kitchen", "a bathroom", "a bed", "a sofa", "a surfer", "a skier", "a tennis player",
    "a baseball game", "a beach", "a mountain", "a child", "a teddy bear", "a vase of flowers", "a laptop",
)  # fmt: skip
SHORTEST = 4  # letters of a word that is searched for
SMALLEST = 12  # pixels, of its height
MOST = 100  # words


@dataclass(frozen=True, slots=True)
class StreetRow:
    """Averages at one scale.

    `signs`: share of street scenes in the top 10 for things that they do not show; `found`: mean
    rank of the first picture with a word, when that word is the query.
    """

    scale: TextnessScale
    signs: float
    found: float


def words_of(folder: Path) -> dict[str, set[str]]:
    """Readable words, in lower case, and the names of the files that show each."""
    shown: dict[str, set[str]] = {}
    for line in (folder / "words.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        for word in row["words"]:
            text = word["text"].lower()
            plain = text.isalpha() and text.isascii() and len(text) >= SHORTEST
            if plain and _height(word["quad"]) >= SMALLEST:
                shown.setdefault(text, set()).add(row["file"])
    return dict(sorted(shown.items())[:: max(1, len(shown) // MOST)])


def rows(
    index: Index,
    folder: Path,
    others: Sequence[Path],
    probe: TextnessProbe,
    advance: Callable[[], object],
) -> list[StreetRow]:
    """One row a scale; the collection of `index` is made here."""
    index.ingest(folder / "images", *others)
    index.textness.save(probe)
    streets = (folder / "images").resolve()
    words = words_of(folder)

    def shows(files: set[str]) -> Callable[[Hit], bool]:
        return lambda hit: hit.path.name in files and streets in hit.path.parents

    found = []
    for scale in SCALES:
        things = [Query((Term(thing),), limit=TOP, textness=scale) for thing in THINGS]
        shares = [
            sum(streets in hit.path.parents for hit in hits) / TOP
            for hits in index.search_many(things)
        ]
        asked = [Query((Term(word),), textness=scale) for word in words]
        _, ranks = until_found(index, asked, [shows(files) for files in words.values()])
        first = float(np.mean([places[0] for places in ranks]))
        found.append(StreetRow(scale, float(np.mean(shares)), first))
        advance()
    return found


def _height(quad: Sequence[float]) -> float:
    """Of a word in pixels: the mean of its left and right side."""
    left, top, right, top_right, right_below, below_right, left_below, below = quad
    sides = ((left - left_below, top - below), (right - right_below, top_right - below_right))
    return float(np.mean([np.hypot(x, y) for x, y in sides]))
