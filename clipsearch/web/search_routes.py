"""`/v1/search`."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import Response

from clipsearch.query.response import SearchResponse
from clipsearch.web.dependencies import EngineOf
from clipsearch.web.engine import Engine
from clipsearch.web.image_json import JsonResponse, hit_json
from clipsearch.web.problems import PROBLEMS
from clipsearch.web.schemas import SearchBody, SearchParameters, SearchResult
from clipsearch.web.search_request import to_body, to_parameters, to_query

router = APIRouter(prefix="/v1", tags=["search"], responses=PROBLEMS)


@router.post("/search", response_model=SearchResult)
async def search_by_body(body: SearchBody, engine: EngineOf) -> Response:
    """Find images by text, by image, or by both, best first."""
    return JsonResponse(await search_json(body, engine))


@router.get("/search", response_model=SearchResult)
async def search_by_url(
    parameters: Annotated[SearchParameters, Query()], engine: EngineOf
) -> Response:
    """Find images by a text in the syntax of the command line."""
    return JsonResponse(await search_json(to_body(parameters), engine))


async def search_json(body: SearchBody, engine: Engine) -> dict[str, Any]:
    """Return the result of a search, see `SearchResult`, also for the page.

    Raises ClipsearchError.
    """
    response: SearchResponse = await engine.search(to_query(body))
    hits = await engine.run(lambda: [hit_json(hit) for hit in response.hits])
    next_page = body.model_copy(update={"offset": body.offset + body.limit})
    return {
        "hits": hits,
        "next": next_link(next_page) if len(hits) == body.limit else None,
        "model": response.model,
        "took_ms": response.took_ms,
        "cut": {"passed": None, "more_below": False},
        "warnings": list(response.warnings),
        "reasons": list(response.reasons),
    }


def next_link(body: SearchBody) -> str:
    """Return the URL of a search."""
    return f"/v1/search?{urlencode(to_parameters(body), doseq=True)}"
