"""A validated search of a client as a Query."""

from typing import Any

from clipsearch.errors import UsageError
from clipsearch.query import Filters, Query, Term
from clipsearch.query.parser import StoredImage
from clipsearch.query.place import parse_near
from clipsearch.web.path_text import from_path_text
from clipsearch.web.query_images import QueryImages
from clipsearch.web.query_text import TextTerm, format_query_text, parse_query_text
from clipsearch.web.schemas import (
    FiltersBody,
    SearchBody,
    SearchOptions,
    SearchParameters,
    TermBody,
)

_FILTERS = ("under", "glob", "taken_from", "taken_before", "camera")
_SIZES = ("min_width", "min_height", "min_bytes", "max_bytes")
_OPTIONS = tuple(SearchOptions.model_fields)


def to_body(parameters: SearchParameters) -> SearchBody:
    """Return the search of a URL; raise UsageError on a text or a place that is malformed."""
    terms = [
        TermBody.model_validate({term.kind: term.content, "weight": term.weight})
        for term in parse_query_text(parameters.q)
    ]
    filters = {name: getattr(parameters, name) for name in (*_FILTERS, *_SIZES)}
    if parameters.near is not None:
        near = parse_near(parameters.near)
        filters["near"] = [near.latitude, near.longitude, near.kilometers]
    return SearchBody(
        terms=terms,
        filters=FiltersBody(formats=parameters.format, tags=parameters.tag, **filters),
        **{name: getattr(parameters, name) for name in _OPTIONS},
    )


def to_parameters(body: SearchBody) -> dict[str, str | list[str]]:
    """Return the parameters of the URL of a search, without those at their default."""
    terms = [
        TextTerm(kind, content, term.weight)
        for term in body.terms
        for kind in ("text", "image", "id")
        if (content := getattr(term, kind)) is not None
    ]
    filters = body.filters.model_dump(exclude_defaults=True)
    if near := filters.pop("near", None):
        filters["near"] = ",".join(map(repr, near))
    renamed = {"formats": "format", "tags": "tag"}
    values: dict[str, Any] = {"q": format_query_text(terms)} if terms else {}
    values |= {renamed.get(name, name): value for name, value in filters.items()}
    options = body.model_dump(include=set(_OPTIONS), exclude_defaults=True)
    values |= {name: _to_text(value) for name, value in options.items()}
    return {
        name: [str(item) for item in value] if isinstance(value, list) else str(value)
        for name, value in values.items()
    }


def to_filters(body: FiltersBody) -> Filters:
    """Return the filters; raise UsageError on a value that has no meaning."""
    values = body.model_dump(exclude_defaults=True)
    for name in ("under", "glob"):
        if name not in values:
            continue
        values[name] = from_path_text(values[name])
        # Windows would log in at the host that a client names.
        if values[name].startswith(("//", "\\\\", "/\\", "\\/")):
            raise UsageError(f"{name} must not begin with two slashes")
    for name in ("formats", "tags", "near"):
        if name in values:
            values[name] = tuple(values[name])
    return Filters(**values)


def to_query(body: SearchBody, images: QueryImages) -> Query:
    """Return the query of a search with terms or words to show, without its thresholds.

    Textness counts only with terms.

    Raises UsageError on a value that has no meaning, and if a query image has expired.
    """
    return Query(
        tuple(_to_term(term, images) for term in body.terms),
        limit=body.limit,
        offset=body.offset,
        filters=to_filters(body.filters),
        exclude_images=body.exclude_images,
        textness=body.textness if body.terms else None,
        max_textness=body.max_textness,
        says=body.says,
    )


def _to_term(term: TermBody, images: QueryImages) -> Term:
    if term.text is not None:
        return Term(term.text, term.weight)
    if term.id is not None:
        return Term(StoredImage(term.id), term.weight)
    if image := images.get(term.image or ""):
        return Term(image.content, term.weight)
    raise UsageError(f"there is no query image {term.image}: it has expired, add it again")


def _to_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
