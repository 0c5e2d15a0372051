"""Queries that ask for more or less text in the pictures, and hits that show at most so much."""

import math
from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest
from typing import Literal, TypeAlias

import numpy as np

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.store.milvus import MAX_RESULTS
from clipsearch.textness import Textness, TextnessProbe, apply, project
from clipsearch.types import Hit, ImageRow, Vectors

Scale: TypeAlias = float | Literal["off"]
"""How much text a query asks for: less below 0, more above; "off" takes no notice of text."""

ROWS = 4_096  # of a scan at once


def check(scale: Scale | None, most: float | None) -> None:
    """Raise UsageError on a scale that is no finite number and not "off", and on such a bound."""
    if isinstance(scale, str):
        if scale != "off":
            raise UsageError(f"textness is a number or 'off', not {scale!r}")
    elif scale is not None and not math.isfinite(scale):
        raise UsageError(f"textness must be a finite number or 'off', not {scale}")
    if most is not None and not math.isfinite(most):
        raise UsageError(f"the largest textness must be a finite number, not {most}")


def shifted(query: Vectors, scale: Scale | None, textness: Textness) -> Vectors:
    """The (d,) query with what it asks of text; the very same array for None and 0."""
    if scale is None or scale == 0:
        return query
    bias = textness.probe().bias
    return project(query, bias) if scale == "off" else apply(query, bias, float(scale))


def with_at_most(
    most: float, wanted: int, find: Callable[[int], list[Hit]], textness: Textness
) -> list[Hit] | None:
    """The first `wanted` hits whose textness is `most` or less; None where Milvus gives too few.

    `find` gives the best so many hits. More are asked for until enough remain, or no others are left.
    """
    size = 2 * wanted
    while True:
        size = min(size, MAX_RESULTS)
        found = find(size)
        kept = [hit for hit in textness.scored(found) if (hit.textness or 0) <= most]
        if len(kept) >= wanted or len(found) < size:
            return kept[:wanted]
        if size == MAX_RESULTS:
            return None
        size *= 4


def scan_at_most(
    most: float, wanted: int, query: Vectors, rows: Iterable[ImageRow], probe: TextnessProbe
) -> list[Hit]:
    """The same among all these rows, one by one: for queries whose best hits nearly all show text."""

    def hits() -> Iterator[Hit]:
        for some in batches(rows, ROWS):
            vectors = np.stack([row.embedding for row in some])
            numbers = zip(vectors @ query, probe.score(vectors), strict=True)
            for row, (score, text) in zip(some, numbers, strict=True):
                if text <= most:
                    yield Hit(row.record, float(score), textness=float(text))

    return nlargest(wanted, hits(), key=lambda hit: hit.score)
