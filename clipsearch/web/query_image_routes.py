"""`/v1/query-images`: images to search for that are not in the collection."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, File, Path, UploadFile
from pydantic import BaseModel
from starlette.responses import Response

from clipsearch.web.dependencies import EngineOf
from clipsearch.web.problems import PROBLEMS, Problem
from clipsearch.web.query_images import QueryImage, embed_upload, read_upload

router = APIRouter(prefix="/v1/query-images", tags=["search"], responses=PROBLEMS)

IdInPath = Annotated[str, Path(pattern="^q_[0-9A-Za-z_-]{8,64}$")]


class QueryImageResult(BaseModel):
    """An uploaded image: its id for terms, its size in pixels, and until when it is kept."""

    id: str
    width: int
    height: int
    expires_at: datetime


@router.post("", status_code=201, response_model=QueryImageResult)
async def add_query_image(
    file: Annotated[UploadFile, File(description="An image file.")], engine: EngineOf
) -> QueryImageResult:
    """Upload an image; a term of a search then names its id. Each use keeps it for 24 hours."""
    max_pixels = engine.limits.upload_pixels
    # Read in the thread, so that few files are in memory at a time.
    upload = await engine.decode(lambda: read_upload(file.file.read(), max_pixels=max_pixels))
    content = await engine.call(lambda index: embed_upload(upload, index))
    return _result(engine.query_images.add(upload, content))


@router.get("/{id}", responses={200: {"content": {"image/webp": {}}}}, response_class=Response)
async def get_query_image(id: IdInPath, engine: EngineOf) -> Response:  # noqa: A002 - public name
    """Return a preview of at most 256 x 256 pixels."""
    image = engine.query_images.get(id)
    if image is None:
        raise Problem(404, f"there is no query image {id}: it has expired, add it again")
    headers = {"Cache-Control": "private, max-age=86400"}
    return Response(image.preview, headers=headers, media_type="image/webp")


def _result(image: QueryImage) -> QueryImageResult:
    expires_at = datetime.fromtimestamp(image.expires_at, UTC)
    return QueryImageResult(
        id=image.id, width=image.width, height=image.height, expires_at=expires_at
    )
