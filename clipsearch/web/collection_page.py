"""`/collection`: what is served, which files failed, near-duplicates, and a running ingest."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from clipsearch.escape import escape_control
from clipsearch.index import Index
from clipsearch.web.collection_routes import failures_json, status_json
from clipsearch.web.dependencies import EngineOf, JobsOf, SettingsOf
from clipsearch.web.page_templates import html_response
from clipsearch.web.page_values import folder_link, format_bytes, short_date

router = APIRouter(include_in_schema=False)

MOST_FAILURES = 100


@router.get("/collection")
async def show_collection(
    request: Request, engine: EngineOf, settings: SettingsOf, jobs: JobsOf
) -> Response:
    """Return the page of the collection."""

    def read(index: Index) -> tuple[dict[str, Any], list[dict[str, str]]]:
        return status_json(index), failures_json(index)

    status, failures = await engine.call(read)
    running = jobs.running
    return html_response(
        "collection.html",
        request,
        {
            "here": "collection",
            "name": escape_control(status["collection"]),
            "store": escape_control(status["store"]),
            "version": status["version"],
            "figures": _figures(status),
            "roots": [
                {
                    "path": escape_control(root["path"]),
                    "link": folder_link(root["path"]),
                    "missing": root["missing"],
                }
                for root in status["roots"]
            ],
            "failures": [
                {name: escape_control(value) for name, value in failure.items()}
                for failure in failures[:MOST_FAILURES]
            ],
            "more_failures": max(0, len(failures) - MOST_FAILURES),
            "writable": settings.allow_write,
            "job": "" if running is None else running.id,
        },
    )


def _figures(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the name and the value of each figure."""
    model = status["model"]
    figures = [
        ("Images", f"{status['images']:,}"),
        ("Failures", f"{status['failures']:,}"),
    ]
    if status["disk_bytes"] is not None:
        figures.append(("Size of the store", format_bytes(status["disk_bytes"])))
    if status["created_at"]:
        figures.append(("Created", short_date(status["created_at"])))
    if model is not None:
        figures.append(("Model", escape_control(model["name"])))
        figures.append(("Dimensions", f"{model['dim']:,}"))
    return figures
