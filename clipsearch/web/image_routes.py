"""`/v1/images`: the stored images."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from clipsearch.index import Index
from clipsearch.records import ImageRecord
from clipsearch.web.dependencies import EngineOf
from clipsearch.web.engine import Engine
from clipsearch.web.image_json import JsonResponse, image_json
from clipsearch.web.problems import PROBLEMS, Problem
from clipsearch.web.schemas import ImageResult

router = APIRouter(prefix="/v1/images", tags=["images"], responses=PROBLEMS)

StoredId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The id of an image.")]


@router.get("/{id}", response_model=ImageResult)
async def get_image(id: StoredId, engine: EngineOf) -> Response:  # noqa: A002 - its public name
    """Return the metadata of an image."""
    record = await find_record(id, engine)
    return JsonResponse(await engine.run(lambda: image_json(record)))


async def find_record(id_: str, engine: Engine) -> ImageRecord:
    """Return the record of an image; raise Problem 404 if there is none."""

    def find(index: Index) -> ImageRecord | None:
        row = index.collection.get([id_]).get(id_)
        return None if row is None else row.record

    record = await engine.call(find)
    if record is None:
        raise Problem(404, f"no image has the id {id_}")
    return record
