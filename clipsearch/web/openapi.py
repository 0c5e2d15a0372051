"""What the API's description says beyond its routes: groups, examples and access."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from clipsearch.web.problems import MEDIA_TYPE

DESCRIPTION = """\
Search a collection of images by text, by image, or by both.

A page of results has the link of the next one in `next`. Errors are JSON of the type
`application/problem+json` (RFC 9457), with a sentence for users in `detail`. While the server is
busy it answers 503, with the seconds to wait in `Retry-After`. Files are named by ids only.
"""

TAGS = [
    {"name": "search", "description": "Find images by weighted texts and images, and filters."},
    {"name": "images", "description": "Metadata, thumbnails and files of stored images."},
    {"name": "collection", "description": "What the collection holds, and what went wrong."},
    {"name": "model", "description": "Labels, explanations and embeddings by the model."},
    {"name": "ingest", "description": "Store new images, on a server with `--allow-write`."},
    {"name": "operation", "description": "For programs that watch the server."},
]

_PROBLEM = {"$ref": "#/components/schemas/ProblemBody"}

_ID = "7e1724ce4860503a836efd421261b87e"

EXAMPLES: dict[str, Any] = {
    "SearchBody": {
        "terms": [{"text": "a dog on the beach"}, {"text": "people", "weight": -0.5}],
        "filters": {"taken_from": "2020-05", "formats": ["jpeg"]},
        "limit": 20,
        "min_z": 2,
    },
    "ClassifyBody": {"labels": ["a cat", "a dog", "something else"], "top": 1},
    "ExplainBody": {"text": "a dog on the beach", "id": _ID},
    "EmbeddingsBody": {"input": ["a dog", "a cat"], "encoding_format": "float"},
    "IngestBody": {"paths": ["/home/me/Pictures"], "prune": True},
}
"""A request for each body."""


def operation_id(route: APIRoute) -> str:
    """Return the name of a route's function, which clients generated from it have as well."""
    return route.name


def describe(app: FastAPI, *, needs_token: bool) -> None:
    """Add examples and the token to the description of an app, when it is asked for."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add_details(build(), needs_token=needs_token)
        return build()

    app.openapi = openapi  # type: ignore[method-assign]


def _add_details(schema: dict[str, Any], *, needs_token: bool) -> None:
    for methods in schema["paths"].values():
        for operation in methods.values():
            _describe_operation(operation)
    for name, example in EXAMPLES.items():
        schema["components"]["schemas"][name]["examples"] = [example]
    if needs_token:
        schema["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "That of `--token`."}
        }
        schema["security"] = [{"token": []}]


def _describe_operation(operation: dict[str, Any]) -> None:
    """Replace what FastAPI derives from the names of functions, and the type of errors."""
    if operation["summary"] == operation["operationId"].replace("_", " ").title():
        operation["summary"] = operation["description"].partition(".")[0]
    for status, response in operation["responses"].items():
        if status in ("4XX", "5XX"):
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
        elif response["description"] == "Successful Response":
            response["description"] = ""
