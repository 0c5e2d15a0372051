"""The order in which parts of a line are drawn, if some run from right to left."""

from collections.abc import Sequence
from typing import TypeVar
from unicodedata import bidirectional

T = TypeVar("T")

RIGHT_TO_LEFT = {"R", "AL"}
NUMBERS = {"EN", "AN"}
ATTACHED = {"NSM", "BN"}  # accents and joiners go with the character before them


def levels(text: str) -> list[int]:
    """The embedding level of each character: odd from right to left, even from left to right.

    A short form of the Unicode Bidirectional Algorithm (UAX #9) for one line without explicit
    formatting: letters and numbers have the direction of their script, and what stands between two
    of the same direction follows them. The first letter decides the direction of the line.
    """
    classes = [bidirectional(character) for character in text]
    strong = [class_ for class_ in classes if class_ == "L" or class_ in RIGHT_TO_LEFT]
    base = int(bool(strong) and strong[0] in RIGHT_TO_LEFT)
    left = 2 * base  # the level of letters from left to right
    known: list[int | None] = []
    sides: list[bool | None] = []  # whether what stands next to the character sees it as from right
    is_right = base == 1  # the direction of the last letter
    for class_ in classes:
        if class_ in ATTACHED and known:
            known.append(known[-1])
            sides.append(sides[-1])
            continue
        if class_ == "L" or class_ in RIGHT_TO_LEFT:
            is_right = class_ != "L"
        is_number = class_ in NUMBERS
        is_known = is_number or class_ == "L" or class_ in RIGHT_TO_LEFT
        level = 2 if is_number and is_right else 1 if is_right else left
        known.append(level if is_known else None)
        sides.append(is_right if is_known else None)
    # Rules N1 and N2: what stands between two of the same direction follows them.
    return [
        level if level is not None else (1 if before else left) if before == after else base
        for level, before, after in zip(
            known, _filled(sides, base), _filled(sides[::-1], base)[::-1], strict=True
        )
    ]


def visual_order(parts: Sequence[tuple[int, T]]) -> list[T]:
    """The parts of a line, each with its level, from left to right (rule L2 of UAX #9)."""
    ordered = list(parts)
    for level in range(max((level for level, _ in parts), default=0), 0, -1):
        start = 0
        while start < len(ordered):
            end = start
            while end < len(ordered) and ordered[end][0] >= level:
                end += 1
            ordered[start:end] = ordered[start:end][::-1]
            start = max(end, start + 1)
    return [part for _, part in ordered]


def _filled(sides: Sequence[bool | None], base: int) -> list[bool]:
    """The last known side at each character; the direction of the line before the first one."""
    filled, last = [], base == 1
    for side in sides:
        last = last if side is None else side
        filled.append(last)
    return filled
