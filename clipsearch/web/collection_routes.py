"""`/v1/status`, `/v1/failures`, `/v1/facets` and `/v1/duplicates`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from clipsearch import __version__
from clipsearch.index import Index
from clipsearch.remote_path import RemotePath
from clipsearch.web.collection_schemas import Computing, Duplicates, Facets, Failures, Status
from clipsearch.web.dependencies import (
    ComputationsOf,
    DuplicateComputationsOf,
    EngineOf,
    JobsOf,
    SettingsOf,
)
from clipsearch.web.duplicate_groups import start_duplicates
from clipsearch.web.facets import facets_json
from clipsearch.web.image_json import JsonResponse
from clipsearch.web.problems import PROBLEMS
from clipsearch.web.schemas import MAX_LIMIT

T = TypeVar("T")

router = APIRouter(prefix="/v1", tags=["collection"], responses=PROBLEMS)

PATIENCE = 5.0
"""Seconds to wait for a result before the client is told to ask again."""

RETRY_SECONDS = 2

COMPUTING: dict[int | str, dict[str, Any]] = {
    202: {"model": Computing, "description": "The result is being computed: ask again."}
}

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The most items of a page.")]
Offset = Annotated[int, Query(ge=0, lt=2**31, description="How many items to leave out.")]


@router.get("/status", response_model=Status, summary="Show what is served")
async def get_status(engine: EngineOf, settings: SettingsOf, jobs: JobsOf) -> Response:
    """Return the collection's size, model and folders, and whether an ingest runs."""
    status = await engine.call(status_json)
    running = jobs.running
    more = {"writable": settings.allow_write, "job": None if running is None else running.id}
    return JsonResponse(status | more)


@router.get("/failures", response_model=Failures, summary="List the files that failed")
async def get_failures(engine: EngineOf, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Return the files that could not be ingested, with the reasons."""
    failures = await engine.call(failures_json)
    return JsonResponse(_page("failures", "/v1/failures", failures, limit, offset))


@router.get(
    "/facets", response_model=Facets, responses=COMPUTING, summary="Count tags, folders, dates"
)
async def get_facets(computations: ComputationsOf) -> Response:
    """Return the values that filters can have: tags, cameras, formats, years and folders."""
    task = await computations.cached("facets", facets_json)
    return await _when_done(task, lambda facets: facets)


@router.get(
    "/duplicates", response_model=Duplicates, responses=COMPUTING, summary="Find near-duplicates"
)
async def get_duplicates(
    computations: DuplicateComputationsOf, limit: Limit = 50, offset: Offset = 0
) -> Response:
    """Return groups of images that look the same, such as resized or recompressed copies.

    The result is computed at the first request, and kept until the collection changes. A large
    collection takes minutes.
    """
    task = await start_duplicates(computations)
    return await _when_done(
        task, lambda found: _page("groups", "/v1/duplicates", found.groups, limit, offset)
    )


async def _when_done(task: "asyncio.Task[T]", to_json: Callable[[T], Any]) -> Response:
    """Return the result of a computation, or 202 if it takes longer."""
    done, _ = await asyncio.wait({task}, timeout=PATIENCE)
    if done:
        return JsonResponse(to_json(task.result()))
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return JsonResponse(Computing().model_dump(), 202, headers)


def status_json(index: Index) -> dict[str, Any]:
    """Return what `Status` says of a collection, without `writable` and `job`."""
    collection, model = index.find_collection(), index.model
    roots = () if collection is None else collection.info.roots
    return {
        "version": __version__,
        "store": index.store.uri,
        "collection": index.name,
        "images": 0 if collection is None else collection.estimate_count(),
        "model": None
        if model is None
        else {
            "name": model.name,
            "dim": model.dim,
            "weights": model.weights,
            "precision": model.precision,
        },
        "created_at": None if collection is None else collection.info.created_at,
        "roots": [{"path": str(root), "missing": _is_missing(root)} for root in roots],
        "failures": 0 if collection is None else len(collection.failures()),
        "disk_bytes": index.store.disk_bytes(),
    }


def _is_missing(root: Path) -> bool:
    return not isinstance(root, RemotePath) and not root.is_dir()


def failures_json(index: Index) -> list[dict[str, str]]:
    """Return the files that could not be ingested, see `FailureResult`."""
    collection = index.find_collection()
    failures = () if collection is None else collection.failures()
    return [{"path": str(f.path), "reason": f.reason} for f in failures]


def _page(name: str, url: str, items: list[Any], limit: int, offset: int) -> dict[str, Any]:
    """Return a page of items with the link of the next one."""
    end = offset + limit
    link = f"{url}?limit={limit}&offset={end}" if end < len(items) else None
    return {name: items[offset:end], "total": len(items), "next": link}
