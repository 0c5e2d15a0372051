"""`/v1/ingest` and `/v1/jobs`: ingest on the server, and follow it."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi import Path as PathParameter
from starlette.responses import Response, StreamingResponse

from clipsearch.files.paths import canonical
from clipsearch.index import Index
from clipsearch.web.dependencies import EngineOf, JobsOf, SettingsOf
from clipsearch.web.engine import Engine
from clipsearch.web.image_json import JsonResponse
from clipsearch.web.job_events import job_events
from clipsearch.web.job_schemas import IngestBody, JobResult, JobResults
from clipsearch.web.path_text import from_path_text
from clipsearch.web.problems import PROBLEMS, Problem
from clipsearch.web.settings import Settings
from ingest.options import IngestOptions

router = APIRouter(prefix="/v1", tags=["ingest"], responses=PROBLEMS)

JobId = Annotated[str, PathParameter(pattern="^j_[0-9a-f]{16}$", description="The id of a job.")]

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `progress` and, at last, `end`; the data of each is the job.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "The client has received the last event."},
}


@router.post("/ingest", status_code=202, response_model=JobResult, summary="Ingest folders")
async def start_ingest(
    body: IngestBody, engine: EngineOf, settings: SettingsOf, jobs: JobsOf
) -> Response:
    """Start to store new and changed images; one job at a time.

    Only for a server with `--allow-write`. Paths must lie in folders that were ingested before, or
    that the server was started with (`--root`). Without paths all of these are ingested.
    """
    if not settings.allow_write:
        raise Problem(
            403, "the server is read-only: start it with `clipsearch serve --allow-write`"
        )
    paths = await _allowed_paths(body.paths, engine, settings)
    job = jobs.start(paths, IngestOptions(prune=body.prune, rehash=body.rehash))
    return JsonResponse(job.as_json(), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get("/jobs", response_model=JobResults, summary="List ingest jobs")
async def list_jobs(jobs: JobsOf) -> Response:
    """Return the jobs since the server was started, at most 20, the newest first."""
    return JsonResponse({"jobs": [job.as_json() for job in jobs.newest_first]})


@router.get("/jobs/{id}", response_model=JobResult, summary="Show an ingest job")
async def get_job(id: JobId, jobs: JobsOf) -> Response:  # noqa: A002 - its public name
    """Return the progress of a job and, when it has ended, its report."""
    return JsonResponse(jobs.get(id).as_json())


@router.delete("/jobs/{id}", status_code=202, response_model=JobResult, summary="Cancel a job")
async def cancel_job(
    id: JobId,  # noqa: A002 - its public name
    jobs: JobsOf,
    settings: SettingsOf,
) -> Response:
    """End a job soon; images that it has embedded stay, and the next job continues from there."""
    if not settings.allow_write:
        raise Problem(403, "this server is read-only")
    job = jobs.get(id)
    job.cancel()
    return JsonResponse(job.as_json(), 202)


@router.get("/jobs/{id}/events", responses=EVENTS, response_class=Response, summary="Follow a job")
async def get_job_events(
    id: JobId,  # noqa: A002 - its public name
    jobs: JobsOf,
    engine: EngineOf,
    last_event_id: Annotated[str, Header(description="The event received last.")] = "",
) -> Response:
    """Return the progress of a job as server-sent events, until it ends."""
    job = jobs.get(id)
    last_id = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 18 else 0
    if job.state != "running" and job.version == last_id:
        return Response(status_code=204)  # a browser then asks no more
    events = job_events(job, last_id, lambda: engine.is_stopping)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, 200, headers, "text/event-stream")


async def _allowed_paths(given: list[str] | None, engine: Engine, settings: Settings) -> list[Path]:
    """Return the paths to ingest; raise Problem 403 on one outside of all roots.

    A client must not choose folders of the server: it could read any image on it.
    """

    def read_roots(index: Index) -> list[Path]:
        collection = index.find_collection()
        stored = () if collection is None else collection.info.roots
        return [*stored, *(canonical(root) for root in settings.roots)]

    roots = list(dict.fromkeys(await engine.call(read_roots)))
    if given is None:
        if not roots:
            raise Problem(422, "there are no folders yet: start the server with `--root FOLDER`")
        return roots
    paths = await engine.run(lambda: [_checked(path) for path in given])
    for path in paths:
        if not any(path.is_relative_to(root) for root in roots):
            raise Problem(
                403,
                "a path is outside of the folders of this collection: ingest it on the command "
                "line, or start the server with `--root FOLDER`",
            )
    return paths


def _checked(text: str) -> Path:
    """Return the canonical path, with links resolved, of an absolute one."""
    path = Path(from_path_text(text))
    if "\0" in str(path) or not path.is_absolute():
        raise Problem(422, "paths must be absolute")
    return canonical(path)
