"""A query: what to search for, and which hits to return; imported without numpy."""

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from clipsearch.errors import UsageError
from clipsearch.query.filters import NO_FILTERS, Filters
from clipsearch.query.parser import Term

TextnessScale: TypeAlias = float | Literal["off"]
"""A factor of the bias: below 0 for less text, above 0 for more; "off" makes text irrelevant."""


@dataclass(frozen=True, slots=True)
class Query:
    """The terms to search for, and which of the hits to return, best first.

    - `min_score`: a cosine.
    - `min_z`: standard deviations above the collection's median image (see `Hit`).
    - `exclude_images`: leave out the query's own images and identical copies of them.
    - `textness`: favor images with less text (below 0) or more (above 0), typically -2 to 2; "off"
      ignores text.
    - `max_textness`: 0..1, leave out images that show more text and fill the limit with others.

    Raises UsageError if there is no term, the limit is below 1, the offset is negative, or a
    threshold or scale is not a finite number.
    """

    terms: tuple[Term, ...]
    limit: int = 10
    offset: int = 0
    filters: Filters = field(default=NO_FILTERS)
    min_score: float | None = None
    min_z: float | None = None
    exclude_images: bool = False
    textness: TextnessScale | None = None
    max_textness: float | None = None

    def __post_init__(self) -> None:
        if not self.terms:
            raise UsageError("the query is empty: give a text, an image, or both")
        if self.limit < 1:
            raise UsageError(f"the limit must be at least 1, not {self.limit}")
        if self.offset < 0:
            raise UsageError(f"the offset must be 0 or more, not {self.offset}")
        for name, bound in (
            ("smallest score", self.min_score),
            ("smallest z", self.min_z),
            ("largest textness", self.max_textness),
        ):
            if bound is not None and not math.isfinite(bound):
                raise UsageError(f"the {name} must be a finite number, not {bound}")
        _check_scale(self.textness)


def _check_scale(scale: TextnessScale | None) -> None:
    """Raise UsageError unless the scale is None, "off" or a finite number."""
    if isinstance(scale, str):
        if scale != "off":
            raise UsageError(f"textness must be a number or 'off', not {scale!r}")
    elif scale is not None and not math.isfinite(scale):
        raise UsageError(f"textness must be a finite number or 'off', not {scale}")
