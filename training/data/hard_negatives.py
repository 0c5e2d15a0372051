"""Captions made wrong in one word: another colour, another number, another relation.

Hard negatives after Yuksekgonul et al. 2023 ("When and why vision-language models behave like
bags-of-words"): how often a picture lies nearer to its caption than to such a one tells whether a model
sees more than things. Made by rules alone: a few stay true, and some say what nobody would.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

# How often captions name each, in percent; what comes in is drawn likewise, or `balanced` keeps few.
COLOURS = {"white": 20, "black": 19, "red": 14, "brown": 13, "blue": 12, "green": 6, "yellow": 6}
COLOURS |= {"pink": 4, "orange": 4, "purple": 2, "grey": 1, "gray": 1}
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
        "colour": {
            old: {new: weight for new, weight in COLOURS.items() if {old, new} != {"grey", "gray"}}
            for old in COLOURS
        },
        "count": dict.fromkeys(COUNTS, COUNTS),
        "relation": {a: {b: 1} for pair in OPPOSITES for a, b in (pair, pair[::-1])},
    }
)
"""By kind of change: what is exchanged, and what may come in for it, with its weight."""


@dataclass(frozen=True, slots=True)
class Change:
    """A caption made wrong: `old` stood where `new` stands."""

    caption: str
    old: str
    new: str


def changed(caption: str, kind: str, draw: Generator) -> Change | None:
    """The caption, in lower case, with one word of a kind exchanged; None where it has none.

    What comes in stands nowhere else in the caption: "a black and white dog" does not become "a white
    and white dog".
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
    return Change(caption[: match.start()] + new + caption[match.end() :], match.group(), new)


def balanced(changes: Sequence[Change | None]) -> list[int]:
    """The places of changes of which as many go one way as the other, the first ones of each.

    So no rule about words alone, "what is said more often is right", tells the wrong caption.
    """
    ways: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, change in enumerate(changes):
        if change is not None:
            ways[change.old, change.new].append(place)
    return sorted(
        place
        for (old, new), places in ways.items()
        for place in places[: len(ways.get((new, old), ()))]
    )
