"""Errors as `application/problem+json` (RFC 9457)."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from clipsearch.errors import (
    ClipsearchError,
    DamagedStoreError,
    DecoderProcessError,
    ImageError,
    MissingCollectionError,
    MissingFieldError,
    ModelMismatchError,
    StoreError,
    UsageError,
    VectorError,
    of_process,
    shorten,
)
from clipsearch.escape import escape_control
from clipsearch.web.schemas import PATTERN_MEANINGS, ProblemBody

log = logging.getLogger("clipsearch")

MEDIA_TYPE = "application/problem+json"

_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request is refused.", "content": _CONTENT, "model": ProblemBody},
    "5XX": {"description": "The server failed or is busy.", "content": _CONTENT},
}
"""The error responses of a route, for OpenAPI."""

BUSY_SECONDS = 2
"""When a client may try again that came while the server was busy."""

_STATUS_OF: tuple[tuple[type[ClipsearchError], int], ...] = (
    (MissingCollectionError, 404),
    (MissingFieldError, 422),
    (DamagedStoreError, 500),
    (ModelMismatchError, 409),
    (UsageError, 422),
    (DecoderProcessError, 503),
    (ImageError, 422),
    (VectorError, 422),
    (StoreError, 503),
)
"""The first class that fits decides; the others of the tree are faults of the server."""


class Problem(HTTPException):
    """An error response with a status and a sentence for the user."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`errors` say what is wrong with each field: `{"field": …, "message": …}`."""
        super().__init__(status, detail, dict(headers or {}))
        self.errors = list(errors)


class BusyProblem(Problem):
    """The server does as much as it can at a time."""

    def __init__(self, detail: str = "the server is busy: try again") -> None:
        super().__init__(503, detail, headers={"Retry-After": str(BUSY_SECONDS)})


def problem_response(problem: Problem) -> Response:
    """Return the response of a problem."""
    values: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status_code).phrase,
        "status": problem.status_code,
        "detail": problem.detail,
    }
    if problem.errors:
        values["errors"] = problem.errors
    headers = {"Cache-Control": "no-store", **(problem.headers or {})}
    return Response(json.dumps(values), problem.status_code, headers, MEDIA_TYPE)


def to_problem(error: Exception) -> Problem:
    """Return the problem that an exception is for the client."""
    if of_process(error):
        return BusyProblem("the server has too many open files (raise `ulimit -n`): try again")
    match error:
        case Problem():
            return error
        case RequestValidationError() | ValidationError():
            return _invalid(error)
        case HTTPException():
            return Problem(error.status_code, str(error.detail), headers=error.headers)
        case ClipsearchError():
            status = next((status for kind, status in _STATUS_OF if isinstance(error, kind)), 500)
            if status == 503:
                return BusyProblem(str(error))
            return Problem(status, str(error), errors=[{"error": type(error).__name__}])
    return Problem(500, "an unexpected error, see the log of the server")


def add_problem_handlers(app: FastAPI) -> None:
    """Make the errors of routes problems; `clipsearch.web.security` does so with all others."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = to_problem(error)
        if problem.status_code == 500:
            path = escape_control(request.url.path)
            log.error("%s %s failed", request.method, path, exc_info=error)
        return problem_response(problem)

    for kind in (RequestValidationError, ValidationError, HTTPException, ClipsearchError, OSError):
        app.add_exception_handler(kind, handle)


def _message(item: Mapping[str, Any]) -> str:
    """Return what is wrong with a field; a pattern in words, and without the class of the error."""
    match item["type"]:
        case "string_pattern_mismatch":
            expected = PATTERN_MEANINGS.get(item["ctx"]["pattern"], "of another form")
            return f"it must be {expected}"
        case "value_error":
            return str(item["ctx"]["error"])
    return str(item["msg"])


def _invalid(error: RequestValidationError | ValidationError) -> Problem:
    errors = [
        {
            "field": ".".join(
                str(part) for part in item["loc"] if part not in ("body", "query", "path")
            ),
            "message": shorten(_message(item)),
        }
        for item in error.errors()
    ]
    first = errors[0] if errors else {"field": "", "message": "the request is not valid"}
    detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
    return Problem(422, detail, errors=errors)
