"""`/v1/archive`: the files of several images in one ZIP."""

import asyncio
from collections.abc import AsyncIterator, Generator, Sequence
from functools import partial
from threading import BoundedSemaphore, Lock
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from clipsearch.web.archive import zip_chunks
from clipsearch.web.dependencies import EngineOf
from clipsearch.web.problems import PROBLEMS, BusyProblem, Problem
from clipsearch.web.schemas import Model
from clipsearch.web.stored_images import StoredImage, find_images
from clipsearch.web.streams import ClosingStream

router = APIRouter(prefix="/v1", tags=["images"], responses=PROBLEMS)

MAX_IDS = 10_000


class ArchiveBody(Model):
    """The ids of the images whose files are wanted."""

    ids: Annotated[
        list[Annotated[str, Field(pattern="^[0-9a-f]{32}$")]],
        Field(min_length=1, max_length=MAX_IDS),
    ]


_SCHEMA: dict[str, Any] = {"schema": ArchiveBody.model_json_schema()}
_FORM = "application/x-www-form-urlencoded"


@router.post(
    "/archive",
    response_class=StreamingResponse,
    responses={200: {"description": "A ZIP.", "content": {"application/zip": {}}}},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": _SCHEMA, _FORM: _SCHEMA}}
    },
)
async def download_archive(request: Request, engine: EngineOf) -> StreamingResponse:
    """Return the files of some images as a ZIP; `unreadable.txt` in it lists missing ones."""
    images = await engine.call(partial(find_images, await _read_ids(request)))
    if not images:
        raise Problem(404, "no image has one of these ids")
    return _ZipResponse(images, engine.archive_slots)


class _ZipResponse(ClosingStream):
    """Streams a ZIP while it holds one of a few slots."""

    media_type = "application/zip"

    def __init__(self, images: Sequence[StoredImage], slots: BoundedSemaphore) -> None:
        headers = {"Content-Disposition": 'attachment; filename="images.zip"'}
        super().__init__(_in_threads(zip_chunks(images)), headers=headers)
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._slots.acquire(blocking=False):
            raise BusyProblem("too many archives are being downloaded: try again")
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slots.release()


async def _read_ids(request: Request) -> Sequence[str]:
    body = await request.body()
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip() == _FORM:
            pairs = parse_qsl(body.decode("ascii"), max_num_fields=MAX_IDS)
            values = ArchiveBody(ids=[value for name, value in pairs if name == "ids"])
        else:
            values = ArchiveBody.model_validate_json(body)
    except ValidationError:  # a ValueError as well
        raise
    except ValueError as error:
        raise Problem(422, "the form is not valid: send each id as `ids=…`") from error
    return values.ids


async def _in_threads(chunks: Generator[bytes]) -> AsyncIterator[bytes]:
    """Yield chunks that are made in threads; close the files, also if the end comes early."""
    lock = Lock()  # the end may come while a thread still makes a chunk

    def advance() -> bytes | None:
        with lock:
            return next(chunks, None)

    def close() -> None:
        with lock:
            chunks.close()

    try:
        while (chunk := await asyncio.to_thread(advance)) is not None:
            yield chunk
    finally:
        asyncio.get_running_loop().run_in_executor(None, close)
