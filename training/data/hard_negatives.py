"""Hard negatives: captions with one word exchanged (a color, a number, a relation, a person).

After Yuksekgonul et al. 2023 ("When and why vision-language models behave like bags-of-words"): how
often an image is nearer to its caption than to its hard negative tells whether a model represents
more than objects. They are made by rules: a few stay true, and some are unnatural.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

# Frequency in captions, in percent. Replacements are drawn with it, or `balanced` drops most.
COLORS = {"white": 20, "black": 19, "red": 14, "brown": 13, "blue": 12, "green": 6, "yellow": 6}
COLORS |= {"pink": 4, "orange": 4, "purple": 2, "grey": 1, "gray": 1}
COUNTS = {"two": 73, "three": 18, "four": 6, "five": 2, "six": 1}
OPPOSITES = (
    ("in front of", "behind"),
    ("inside", "outside"),
    ("into", "out of"),
    ("up", "down"),
    ("over", "under"),
    ("above", "below"),
    ("left", "right"),
)


def _both_ways(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for pair in pairs:
        for old, new in (pair, pair[::-1]):
            found.setdefault(old, {})[new] = 1
    return found


PEOPLE = (
    *(("man", "woman"), ("men", "women"), ("boy", "girl"), ("boys", "girls")),
    *(("young", "old"), ("man", "boy"), ("woman", "girl"), ("baby", "child")),
)
_PRONOUNS = re.compile(r"\b(?:he|she|him|his|her|hers|himself|herself|beard|bearded)\b")
MIRRORED = {"left", "right"}  # words that a mirrored view makes false

KINDS: Mapping[str, Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "color": {
            old: {new: weight for new, weight in COLORS.items() if {old, new} != {"grey", "gray"}}
            for old in COLORS
        },
        "count": dict.fromkeys(COUNTS, COUNTS),
        "relation": _both_ways(OPPOSITES),
        "person": _both_ways(PEOPLE),
    }
)
"""By kind: each word, and its possible replacements with their weights."""

NO_TEXT = -1  # in the ids of `negative_ids`, for a caption without a word of a kind


@dataclass(frozen=True, slots=True)
class HardNegative:
    """A caption in which `new` replaces `old`."""

    caption: str
    old: str
    new: str


def make_negative(caption: str, kind: str, draw: Generator) -> HardNegative | None:
    """Return the caption in lower case with one word of a kind exchanged, or None without one.

    The replacement does not occur elsewhere in the caption: "a black and white dog" does not become
    "a white and white dog".
    """
    caption, others = caption.lower(), KINDS[kind]
    if kind == "person" and _PRONOUNS.search(caption):
        return None  # "a woman and his dog" could be told without the image
    found = list(re.finditer(rf"\b(?:{'|'.join(others)})\b", caption))
    here = {match.group() for match in found}
    places = [
        (match, new, weight)
        for match in found
        for new, weight in others[match.group()].items()
        if new not in here
    ]
    if not places:
        return None
    weights = np.array([weight for _, _, weight in places], dtype=float)
    match, new, _ = places[int(draw.choice(len(places), p=weights / weights.sum()))]
    before = _article(caption[: match.start()], new)
    return HardNegative(before + new + caption[match.end() :], match.group(), new)


def _article(before: str, word: str) -> str:
    """Fit an "a" or "an" at the end of `before` to the next word: "an red car" would tell."""
    return re.sub(r"\ban? $", "an " if word[0] in "aeiou" else "a ", before)


def balanced(changes: Sequence[HardNegative | None]) -> list[int]:
    """Return the indices of a subset with as many changes from a to b as from b to a.

    Then a rule about word frequency alone cannot tell the wrong caption.
    """
    phrasings: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, change in enumerate(changes):
        if change is not None:
            phrasings[change.old, change.new].append(place)
    return sorted(
        place
        for (old, new), places in phrasings.items()
        for place in places[: len(phrasings.get((new, old), ()))]
    )


def negative_ids(captions: Sequence[str], seed: int = 0) -> tuple[NDArray[np.int64], list[str]]:
    """Draw a hard negative of each kind for each caption, balanced, for training.

    Returns ids (n, kinds) into the list of texts that follows, NO_TEXT where a caption has none.
    """
    ids = np.full((len(captions), len(KINDS)), NO_TEXT)
    texts: dict[str, int] = {}
    for column, kind in enumerate(KINDS):
        draw = np.random.default_rng([seed, column])
        changes = [make_negative(caption, kind, draw) for caption in captions]
        changes = [c if c is None or c.old not in MIRRORED else None for c in changes]
        for row in balanced(changes):
            change = changes[row]
            assert change is not None
            ids[row, column] = texts.setdefault(change.caption, len(texts))
    return ids, list(texts)
