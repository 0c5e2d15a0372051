"""The effect of textness on real text: street scenes with signs among everyday images."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.textness.metrics import SCALES, TOP, search_until_relevant
from clipsearch import Hit, Index, Query, Term
from clipsearch.query.query import TextnessScale
from clipsearch.textness import TextnessProbe

# Objects and places that everyday images show and street scenes do not.
OBJECTS = (
    "a dog",
    "a cat",
    "a horse",
    "a bird",
    "an elephant",
    "a giraffe",
    "a pizza",
    "a cake",
    "fruit",
    "a sandwich",
    "a kitchen",
    "a bathroom",
    "a bed",
    "a sofa",
    "a surfer",
    "a skier",
    "a tennis player",
    "a baseball game",
    "a beach",
    "a mountain",
    "a child",
    "a teddy bear",
    "a vase of flowers",
    "a laptop",
)
MIN_LETTERS = 4  # of a word used as a query
MIN_HEIGHT = 12  # pixels of such a word
MAX_WORDS = 100


@dataclass(frozen=True, slots=True)
class StreetMetrics:
    """Averages at one textness scale.

    `street_share` is the share of street scenes in the top 10 for objects that they do not show.
    `word_rank` is the mean rank of the first image with a word when that word is the query.
    """

    scale: TextnessScale
    street_share: float
    word_rank: float


def readable_words(folder: Path) -> dict[str, set[str]]:
    """Readable words in lower case, each with the names of the image files that show it."""
    files: dict[str, set[str]] = {}
    for line in (folder / "words.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        for word in row["words"]:
            text = word["text"].lower()
            is_plain = text.isalpha() and text.isascii() and len(text) >= MIN_LETTERS
            if is_plain and _height(word["quad"]) >= MIN_HEIGHT:
                files.setdefault(text, set()).add(row["file"])
    return dict(sorted(files.items())[:: max(1, len(files) // MAX_WORDS)])


def measure_streets(
    index: Index,
    folder: Path,
    others: Sequence[Path],
    probe: TextnessProbe,
    advance: Callable[[], object],
) -> list[StreetMetrics]:
    """Ingest the street scenes and other images into `index`; measure each scale."""
    index.ingest(folder / "images", *others)
    index.textness.save(probe)
    streets = (folder / "images").resolve()
    words = readable_words(folder)

    def shows(files: set[str]) -> Callable[[Hit], bool]:
        return lambda hit: hit.path.name in files and streets in hit.path.parents

    metrics = []
    for scale in SCALES:
        queries = [Query((Term(name),), limit=TOP, textness=scale) for name in OBJECTS]
        shares = [
            sum(streets in hit.path.parents for hit in hits) / TOP
            for hits in index.search_many(queries)
        ]
        word_queries = [Query((Term(word),), textness=scale) for word in words]
        is_relevant = [shows(files) for files in words.values()]
        _, ranks = search_until_relevant(index, word_queries, is_relevant)
        first = float(np.mean([word_ranks[0] for word_ranks in ranks]))
        metrics.append(StreetMetrics(scale, float(np.mean(shares)), first))
        advance()
    return metrics


def _height(quad: Sequence[float]) -> float:
    """The height of a word in pixels: the mean of its left and right side."""
    left, top, right, top_right, right_below, below_right, left_below, below = quad
    sides = ((left - left_below, top - below), (right - right_below, top_right - below_right))
    return float(np.mean([np.hypot(x, y) for x, y in sides]))
