"""`/healthz`, `/readyz` and `/metrics`: for programs that watch the server."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from clipsearch.errors import ClipsearchError
from clipsearch.index import Index
from clipsearch.web.dependencies import EngineOf
from clipsearch.web.metrics import CONTENT_TYPE, Metrics
from clipsearch.web.problems import PROBLEMS, BusyProblem

router = APIRouter(tags=["operation"], responses=PROBLEMS)


class Health(BaseModel):
    """The server answers requests."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The model is loaded."""

    status: Literal["ready"] = "ready"


@router.get("/healthz", summary="Tell whether the server runs")
async def get_health() -> Health:
    """Return 200 as long as the server answers; needs no token."""
    return Health()


@router.get("/readyz", summary="Tell whether the model is loaded")
async def get_readiness(engine: EngineOf) -> Readiness:
    """Return 200 once searches are fast, 503 while the model is being loaded; needs no token."""
    if not engine.is_ready:
        raise BusyProblem("the model is being loaded")
    return Readiness()


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Latencies by route, queues, batches of the model, images.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
    summary="Show metrics",
)
async def get_metrics(engine: EngineOf, request: Request) -> Response:
    """Return metrics in Prometheus's text format."""
    metrics: Metrics = request.app.state.metrics

    def count(index: Index) -> int:
        collection = index.find_collection()
        return 0 if collection is None else collection.estimate_count()

    try:
        metrics.images.set(await engine.call(count))
    except (ClipsearchError, BusyProblem):  # the other metrics are needed then most of all
        metrics.images.set(float("nan"))
    metrics.jobs.set(request.app.state.jobs.running is not None)
    return Response(metrics.as_text(), media_type=CONTENT_TYPE)
