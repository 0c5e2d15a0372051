"""`/v1/images`: the stored images, their thumbnails and their files."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from clipsearch.web.dependencies import EngineOf
from clipsearch.web.image_json import JsonResponse, image_json
from clipsearch.web.problems import PROBLEMS
from clipsearch.web.schemas import ImageResult
from clipsearch.web.served_files import file_response, matches_etag
from clipsearch.web.stored_images import find_image
from clipsearch.web.thumbnails import round_width

router = APIRouter(prefix="/v1/images", tags=["images"], responses=PROBLEMS)

StoredId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The id of an image.")]

_NOT_MODIFIED: dict[str, Any] = {"description": "It is as the client has it."}
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


@router.get("/{id}", response_model=ImageResult)
async def get_image(id: StoredId, engine: EngineOf) -> Response:  # noqa: A002 - its public name
    """Return the metadata of an image."""
    image = await engine.call(partial(find_image, id))
    return JsonResponse(await engine.run(lambda: image_json(image.record)))


@router.get(
    "/{id}/thumbnail",
    response_class=Response,
    responses={
        200: {"description": "A WebP image, upright.", "content": {"image/webp": _BINARY}},
        304: _NOT_MODIFIED,
    },
)
async def get_thumbnail(
    id: StoredId,  # noqa: A002 - its public name
    engine: EngineOf,
    request: Request,
    w: Annotated[int, Query(ge=1, le=4096, description="The width that is needed.")] = 512,
) -> Response:
    """Return a small version of an image, at least `w` pixels wide up to 2,048, unless it is."""
    image = await engine.call(partial(find_image, id))
    width = round_width(w)
    thumbnail = await engine.decode(lambda: engine.thumbnails.get(image, width))
    headers = {"Cache-Control": "private, max-age=600", "ETag": thumbnail.etag}
    if matches_etag(request.headers.get("if-none-match"), thumbnail.etag):
        return Response(status_code=304, headers=headers)
    return Response(thumbnail.data, headers=headers, media_type="image/webp")


@router.get(
    "/{id}/file",
    response_class=Response,
    responses={
        200: {"description": "The file.", "content": {"image/*": _BINARY}},
        206: {"description": "The range of the file that the header Range names."},
        304: _NOT_MODIFIED,
    },
)
async def get_file(
    id: StoredId,  # noqa: A002 - its public name
    engine: EngineOf,
    request: Request,
    *,
    download: Annotated[bool, Query(description="Save it instead of showing it.")] = False,
) -> Response:
    """Return the file of an image, or a range of it.

    Formats that browsers do not show, and SVG, are always downloads.
    """
    image = await engine.call(partial(find_image, id))
    return await engine.run(
        lambda: file_response(
            image.open(), image.record.path.name, request.headers, download=download
        )
    )
