"""Hard negatives: captions with one word exchanged (a color, a number, a relation).

After Yuksekgonul et al. 2023 ("When and why vision-language models behave like bags-of-words"): how
often an image is nearer to its caption than to its hard negative tells whether a model represents
more than objects. They are made by rules: a few stay true, and some are unnatural.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

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

KINDS: Mapping[str, Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "color": {
            old: {new: weight for new, weight in COLORS.items() if {old, new} != {"grey", "gray"}}
            for old in COLORS
        },
        "count": dict.fromkeys(COUNTS, COUNTS),
        "relation": {a: {b: 1} for pair in OPPOSITES for a, b in (pair, pair[::-1])},
    }
)
"""By kind: each word, and its possible replacements with their weights."""


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
    return HardNegative(caption[: match.start()] + new + caption[match.end() :], match.group(), new)


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
