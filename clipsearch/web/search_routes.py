"""`/v1/search`."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from clipsearch.web.dependencies import DuplicateComputationsOf, EngineOf
from clipsearch.web.image_json import JsonResponse
from clipsearch.web.problems import PROBLEMS
from clipsearch.web.schemas import SearchBody, SearchParameters, SearchResult
from clipsearch.web.search_request import to_body
from clipsearch.web.search_service import search_json

router = APIRouter(prefix="/v1", tags=["search"], responses=PROBLEMS)


@router.post("/search", response_model=SearchResult)
async def search_by_body(
    body: SearchBody, engine: EngineOf, duplicates: DuplicateComputationsOf
) -> Response:
    """Find images by text, by image, or by both, best first.

    Without terms it returns all images that pass the filters, the newest first. With the order
    `date` the best hits above the cut, at most 1,000, are returned the newest first.

    `group_duplicates` groups the hits of a page whose embeddings are nearly the same. It starts to
    find the groups of `GET /v1/duplicates`; once these are known, hits are grouped by them, too.
    """
    return JsonResponse(await search_json(body, engine, duplicates))


@router.get("/search", response_model=SearchResult)
async def search_by_url(
    parameters: Annotated[SearchParameters, Query()],
    engine: EngineOf,
    duplicates: DuplicateComputationsOf,
) -> Response:
    """Find images by a text in the syntax of the command line; see `POST /v1/search`."""
    return JsonResponse(await search_json(to_body(parameters), engine, duplicates))
