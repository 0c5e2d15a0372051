"""The pages for people: search, and one image. They work as plain GET without scripts."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from clipsearch.errors import ClipsearchError, shorten
from clipsearch.remote_path import locate
from clipsearch.web.computations import Computations
from clipsearch.web.dependencies import DuplicateComputationsOf, EngineOf
from clipsearch.web.engine import Engine
from clipsearch.web.image_json import image_json
from clipsearch.web.page_templates import html_response, json_in_html
from clipsearch.web.page_values import (
    BYTE_STEPS,
    SHORTCUTS,
    folder_link,
    image_facts,
    image_values,
    tile_values,
)
from clipsearch.web.problems import Problem, problem_response, to_problem
from clipsearch.web.schemas import SearchBody, SearchParameters, TermBody
from clipsearch.web.search_request import to_body
from clipsearch.web.search_service import search_json
from clipsearch.web.stored_images import find_image

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 60
SIMILAR = 24
MIN_P = 0.25
"""The cut of the page for hits with p, if its address has none; 0 there means no cut."""
MIN_Z = 2.0
"""The same for other hits."""
CUTS = {"min_p": f"{MIN_P:g}", "min_z": f"{MIN_Z:g}"}
"""Both as in an address, for the controls and the script of the page."""

_FIELDS = frozenset(SearchParameters.model_fields)
_LISTS = frozenset({"format", "tag"})


@router.get("/")
async def show_search(
    request: Request, engine: EngineOf, duplicates: DuplicateComputationsOf
) -> Response:
    """Return the search page with the first results; errors are shown on it."""
    values = _values(request.query_params)
    result: dict[str, Any] | None = None
    body = SearchBody()
    error, status, terms = "", 200, []
    try:
        body = _body(values)
        terms = [_term(term) for term in body.terms]
        result = await search_json(body, engine, duplicates)
    except (ClipsearchError, Problem, ValidationError) as problem:
        error, status = _explain(problem)
    page = {"terms": terms, "cuts": CUTS, "page": result}
    shown = result or {"hits": [], "warnings": [], "reasons": [], "cut": {"passed": None}}
    return html_response(
        "search.html",
        request,
        {
            "here": "search",
            "text": values.get("q", ""),
            "query": f"?{request.url.query}" if request.url.query else "",
            "values": _form_values(values),
            "status": _count(body.offset, shown),
            "hits": [tile_values(hit) for hit in shown["hits"]],
            "warnings": shown["warnings"],
            "reasons": shown["reasons"],
            "error": error,
            "shortcuts": SHORTCUTS,
            "byte_steps": BYTE_STEPS,
            "page_data": json_in_html(page),
            **_neighbors(values, body, result),
        },
        status=status,
    )


@router.get("/image/{id}")
async def show_image(
    id: str,  # noqa: A002 - its public name
    request: Request,
    engine: EngineOf,
    duplicates: DuplicateComputationsOf,
) -> Response:
    """Return the page of an image, with similar ones."""
    try:
        if not re.fullmatch("[0-9a-f]{32}", id):
            raise Problem(404, f"{shorten(id)} is not the id of an image")
        record = (await engine.call(partial(find_image, id))).record
        image = await engine.run(lambda: image_json(record))
    except (ClipsearchError, Problem) as problem:
        detail, status = _explain(problem)
        return show_error(request, "This image is not here", detail, status)
    return html_response(
        "image.html",
        request,
        {
            "query": f"?{request.url.query}" if request.url.query else "",
            "image": image_values(image),
            "facts": image_facts(image),
            "folder_link": folder_link(str(locate(image["path"]).parent)),
            "similar": await _similar(record.id, engine, duplicates),
        },
    )


def show_error(request: Request, title: str, detail: str, status: int) -> Response:
    """Return a page that says what is wrong."""
    return html_response("error.html", request, {"title": title, "detail": detail}, status=status)


async def show_missing(request: Request, error: Exception) -> Response:
    """Answer a request for what does not exist: by a page for people, else by a problem."""
    accepts_html = "text/html" in request.headers.get("accept", "")
    if not accepts_html or request.url.path.startswith("/v1/"):
        return problem_response(to_problem(error))
    return show_error(request, "There is no such page", "The address may be mistyped.", 404)


async def _similar(id_: str, engine: Engine, duplicates: Computations) -> list[dict[str, Any]]:
    """Return tiles of similar images; none if the model cannot be loaded."""
    body = SearchBody(terms=[TermBody(id=id_)], exclude_images=True, limit=SIMILAR)
    try:
        result = await search_json(body, engine, duplicates)
    except (ClipsearchError, Problem):
        return []
    return [tile_values(hit) for hit in result["hits"]]


def _values(parameters: QueryParams) -> dict[str, Any]:
    """Return the parameters that a search has; a link may have others, of other programs."""
    values: dict[str, Any] = {}
    for name in parameters:
        given = [value for value in parameters.getlist(name) if value.strip()]
        if name in _FIELDS and given:
            values[name] = given if name in _LISTS else given[-1]
    if "format" in values:  # without scripts there is one field for all
        values["format"] = [name.strip() for item in values["format"] for name in item.split(",")]
    return values


def _body(values: Mapping[str, Any]) -> SearchBody:
    """Return the search of an address; raise ValidationError or UsageError."""
    body = to_body(SearchParameters.model_validate({"limit": PAGE_SIZE, **values}))
    min_z = MIN_Z if body.min_z is None else body.min_z
    # An address with a cut of z alone, such as an older one, means that cut.
    default_p = MIN_P if body.min_z is None else None
    min_p = default_p if body.min_p is None else body.min_p
    return body.model_copy(
        update={
            "min_z": min_z if body.terms and min_z else None,
            "min_p": min_p if body.terms else None,
            "textness": body.textness or None,
            "exclude_images": any(term.text is None for term in body.terms),
        }
    )


def _term(term: TermBody) -> dict[str, Any]:
    [(kind, content)] = (
        (kind, getattr(term, kind))
        for kind in ("text", "image", "id")
        if getattr(term, kind) is not None
    )
    return {"kind": kind, "content": content, "weight": term.weight}


def _explain(error: Exception) -> tuple[str, int]:
    """Return the sentence and the status of an error."""
    problem = to_problem(error)
    return str(problem.detail), problem.status_code


def _form_values(values: Mapping[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(_FIELDS, "")
    return empty | {"format": [], "tag": [], "textness": "0"} | CUTS | dict(values)


def _count(offset: int, result: Mapping[str, Any]) -> str:
    number, passed = len(result["hits"]), result["cut"]["passed"]
    total = "" if passed is None else f" of {passed:,}"
    return f"Images {offset + 1:,} to {offset + number:,}{total}" if number else ""


def _neighbors(
    values: Mapping[str, Any], body: SearchBody, result: dict[str, Any] | None
) -> dict[str, str]:
    """Return the links of the pages around, and below the cut; "" where there is none."""
    links = {"previous": "", "next": "", "below": ""}
    if result is None:
        return links
    offset, limit = body.offset, body.limit

    def link(**changes: object) -> str:
        return f"/?{urlencode({**values, **changes}, doseq=True)}"

    if offset:
        links["previous"] = link(offset=max(0, offset - limit))
    if result["next"]:
        links["next"] = link(offset=offset + limit)
    elif result["cut"]["more_below"]:
        # Ordered by score, some hits above the cut of p stand behind others below it.
        first = 0 if result["cut"]["by"] == "p" else result["cut"]["passed"] or 0
        links["below"] = link(min_p=0, min_z=0, order="relevance", offset=first)
    return links
