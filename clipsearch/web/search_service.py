"""A search of a client from the request to the result, for the API and for the page."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from clipsearch.index import Index
from clipsearch.query import Query, Term
from clipsearch.query.empty_result import explain_empty_result
from clipsearch.query.option_names import with_field_names
from clipsearch.query.probability import has_probability, probability_warnings
from clipsearch.query.said import says_reasons
from clipsearch.query.search import search
from clipsearch.query.thresholds import first_look, next_look
from clipsearch.records import MAX_RESULTS, Hit
from clipsearch.web.computations import Computations
from clipsearch.web.duplicate_groups import known_duplicates
from clipsearch.web.engine import Engine
from clipsearch.web.hits import Page, cut_page, group_duplicates, page_of_passing
from clipsearch.web.image_json import hit_json
from clipsearch.web.ranking import Ranking
from clipsearch.web.schemas import SearchBody
from clipsearch.web.search_request import to_filters, to_parameters, to_query

DATE_HITS = 1_000
"""The best hits that are ordered by date, if as many lie above the cut."""


async def search_json(
    body: SearchBody, engine: Engine, duplicate_computations: Computations
) -> dict[str, Any]:
    """Return the result of a search, see `SearchResult`.

    Hits are grouped by the near-duplicates of the collection as soon as these are known.
    Raises ClipsearchError, and BusyProblem.
    """
    started = time.perf_counter()
    page, ranking = await (_search(body, engine) if _has_query(body) else _browse(body, engine))
    duplicates: dict[str, list[str]] = {}
    if body.group_duplicates and page.hits:
        known = await known_duplicates(duplicate_computations)
        page, duplicates = await engine.call(lambda index: group_duplicates(page, index, known))
    reasons: Sequence[str] = ()
    if not page.hits:
        reasons = await _reasons(body, engine)
    hits = await engine.run(
        lambda: [_hit_json(hit, duplicates.get(hit.id, ()), body) for hit in page.hits]
    )
    return {
        "hits": hits,
        "next": _next_link(body) if page.has_next else None,
        "model": ranking.model,
        "took_ms": 1000 * (time.perf_counter() - started),
        "cut": {
            "by": _cut_by(ranking.hits),
            "passed": page.passed,
            "more_below": page.more_below,
        },
        "warnings": list(ranking.warnings),
        "reasons": list(reasons),
        "said": [{"words": said.words, "images": said.images} for said in ranking.said],
    }


def _has_query(body: SearchBody) -> bool:
    return bool(body.terms) or body.says is not None


async def _search(body: SearchBody, engine: Engine) -> tuple[Page, Ranking]:
    query = to_query(body, engine.query_images)
    window = {"offset": body.offset, "limit": body.limit}
    if body.order == "date":
        ranking, look = await engine.search(replace(query, offset=0, limit=DATE_HITS)), DATE_HITS
    elif body.min_p and has_probability(query):
        ranking, look = await _look_deeper(query, body, engine)
    else:
        more = min(body.limit + 1, MAX_RESULTS - body.offset)  # whether a next page has any
        ranking = _with_warning(await engine.search(replace(query, limit=more)), query, body)
        return cut_page(ranking.hits, body, **window), ranking
    ranking = _with_warning(ranking, query, body)
    is_part, by_date = len(ranking.hits) == look, body.order == "date"
    page = page_of_passing(ranking.hits, body, **window, is_part=is_part, by_date=by_date)
    return page, ranking


async def _look_deeper(query: Query, body: SearchBody, engine: Engine) -> tuple[Ranking, int]:
    """Rank until enough hits pass for the page and to know of a next one; return how many."""
    wanted = min(body.offset + body.limit + 1, MAX_RESULTS)
    look = first_look(wanted)
    while True:
        ranking = await engine.search(replace(query, offset=0, limit=look))
        more = next_look(look, ranking.hits, body, wanted)
        if more is None:
            return ranking, look
        look = more


def _limited(query: Query, body: SearchBody) -> Query:
    """Return the query with the cuts of the request, which need terms."""
    if not body.terms:
        return query
    return replace(query, min_p=body.min_p, min_z=body.min_z, min_score=body.min_score)


def _with_warning(ranking: Ranking, query: Query, body: SearchBody) -> Ranking:
    """Return the ranking with a warning if `min_p` does not apply to its hits."""
    warnings = probability_warnings(_limited(query, body), ranking.hits, ranking.model)
    added = [with_field_names(warning) for warning in warnings]
    return replace(ranking, warnings=[*ranking.warnings, *added])


def _cut_by(hits: Sequence[Hit]) -> str | None:
    """Return the name of the value that cuts these hits, if both are given."""
    if any(hit.p is not None for hit in hits):
        return "p"
    return "z" if any(hit.z is not None for hit in hits) else None


async def _browse(body: SearchBody, engine: Engine) -> tuple[Page, Ranking]:
    filters = to_filters(body.filters)

    def browse(index: Index) -> tuple[Page, str]:
        page = engine.date_orders.page(index, filters, offset=body.offset, limit=body.limit)
        return page, index.collection.info.model.name

    page, model = await engine.call(browse)
    has_textness = body.textness is not None or body.max_textness is not None
    ignored = ["textness counts only in a search with a text or an image"] if has_textness else []
    return page, Ranking(page.hits, model, ignored)


def _hit_json(hit: Hit, duplicates: Sequence[str], body: SearchBody) -> dict[str, Any]:
    values = hit_json(hit, duplicates)
    return values if _has_query(body) else values | {"score": None}


async def _reasons(body: SearchBody, engine: Engine) -> list[str]:
    """Say why there are no hits, in the words of the API."""
    if _has_query(body):
        query = _limited(to_query(body, engine.query_images), body)

        def search_again(index: Index, query: Query) -> list[Hit]:
            return search([query], index.load, index.collection)[0]

        def explain(index: Index) -> list[str]:
            reasons = explain_empty_result(
                query, lambda query: search_again(index, query), index.collection
            )
            return [*says_reasons(query, index.collection), *reasons]

    else:
        filters = to_filters(body.filters)

        def explain(index: Index) -> list[str]:
            query = Query((Term("all"),), filters=filters)
            return explain_empty_result(query, lambda _: [], index.collection)

    return [with_field_names(reason) for reason in await engine.call(explain)]


def _next_link(body: SearchBody) -> str | None:
    following = body.model_copy(update={"offset": body.offset + body.limit})
    if following.offset + following.limit > MAX_RESULTS:
        return None
    return f"/v1/search?{urlencode(to_parameters(following), doseq=True)}"
