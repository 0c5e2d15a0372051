"""A query: what to search for, and which hits to return; imported without numpy."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from clipsearch import arguments
from clipsearch.errors import UsageError
from clipsearch.query.filters import NO_FILTERS, Filters
from clipsearch.query.parser import StoredImage, Term

TextnessScale: TypeAlias = float | Literal["off"]
"""How much text to favor: below 0 for less, above 0 for more; "off" makes text irrelevant."""


@dataclass(frozen=True, slots=True)
class Query:
    """The terms to search for, and which of the hits to return, best first.

    - `min_score`: a cosine.
    - `min_z`: standard deviations above the collection's median image (see `Hit`).
    - `min_p`: 0..1, the probability of being relevant. Hits without p pass, unless `min_z` is also
      given: it then applies to them alone.
    - `exclude_images`: leave out the query's own images and identical copies of them.
    - `textness`: favor images with less text (below 0) or more (above 0), typically -2 to 2; "off"
      ignores text.
    - `max_textness`: 0..1, leave out images that show more text and fill the limit with others.
    - `says`: words that must be written in the images, such as `ikea "new york"`; without terms
      the best matches come first. Images are read by `clipsearch read`.
    - `max_pixels`: of the files of image queries; None means the limit of `decode`.

    A text, an image or a path in `terms`, or in place of them, is a term of weight 1. Numbers may
    be those of numpy. Raises UsageError if there are neither terms nor `says`, the limit is
    below 1, the offset is negative, offset + limit exceeds 16,384, a threshold or scale is not a
    finite number or is given without terms, or `min_p` or `max_textness` is not
    from 0 to 1.
    """

    terms: tuple[Term, ...]
    limit: int = 10
    offset: int = 0
    filters: Filters = field(default=NO_FILTERS)
    min_score: float | None = None
    min_z: float | None = None
    min_p: float | None = None
    exclude_images: bool = False
    textness: TextnessScale | None = None
    max_textness: float | None = None
    max_pixels: int | None = None
    says: str | None = None

    def __post_init__(self) -> None:
        limit, offset = arguments.page(self.limit, self.offset)
        values: dict[str, Any] = {
            "limit": limit,
            "offset": offset,
            "terms": _as_terms(self.terms),
            "textness": _as_scale(self.textness),
            "exclude_images": arguments.flag("exclude_images", self.exclude_images),
        }
        for name, field_name, read in (
            ("smallest score", "min_score", arguments.number),
            ("smallest z", "min_z", arguments.number),
            ("smallest p", "min_p", arguments.share),
            ("largest textness", "max_textness", arguments.share),
        ):
            bound = getattr(self, field_name)
            values[field_name] = None if bound is None else read(name, bound)
        if self.max_pixels is not None:
            values["max_pixels"] = arguments.integer("limit of pixels", self.max_pixels)
        for field_name, value in values.items():
            object.__setattr__(self, field_name, value)
        if self.says is not None:
            self._check_says(self.says)
        elif not self.terms:
            raise UsageError("the query is empty: give a text, an image, or both")
        if not isinstance(self.filters, Filters):
            raise UsageError(f"filters must be Filters(…), not {arguments.show(self.filters)}")

    def _check_says(self, says: str) -> None:
        # Late: takes 6 ms, of which a query without words through the daemon has no use.
        from clipsearch.says.parser import parse_says

        parse_says(arguments.text("says", says))
        if self.max_textness is not None:
            raise UsageError(
                "a limit of textness leaves out images with words: use it without says"
            )
        names = ("min_score", "min_z", "min_p", "textness")
        needs_terms = {name: getattr(self, name) for name in names}
        for name, value in needs_terms.items():
            if value is not None and not self.terms:
                raise UsageError(f"{name} is about the likeness to a text or an image: give one")


def _as_terms(terms: Any) -> tuple[Term, ...]:
    """Return terms; a text, path or image among them becomes a term of weight 1."""
    if isinstance(terms, str | Path | Term | StoredImage) or not isinstance(terms, Iterable):
        terms = (terms,)
    return tuple(term if isinstance(term, Term) else Term(term) for term in terms)


def _as_scale(scale: Any) -> TextnessScale | None:
    """Return the scale if it is None, "off" or a finite number; else raise UsageError."""
    if scale is None or (isinstance(scale, str) and scale == "off"):
        return "off" if scale else None
    if isinstance(scale, str):
        raise UsageError(f"textness must be a number or 'off', not {scale!r}")
    return arguments.number("textness", scale)
