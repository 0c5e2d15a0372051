"""`/v1/classify`."""

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from clipsearch.errors import UsageError
from clipsearch.web.classification import check_request, classify, response_chunks
from clipsearch.web.dependencies import ComputationsOf, EngineOf
from clipsearch.web.model_schemas import ClassifyBody, ClassifyResult
from clipsearch.web.problems import PROBLEMS

router = APIRouter(prefix="/v1", tags=["model"], responses=PROBLEMS)


@router.post("/classify", response_model=ClassifyResult, summary="Assign labels to images")
async def classify_images(
    body: ClassifyBody, engine: EngineOf, computations: ComputationsOf
) -> Response:
    """Choose the best of some labels for each image, without training, or apply a linear probe.

    The probabilities of all labels add up to 1: give a label for everything that an image may show.
    """
    uploaded = None
    if body.image is not None:
        if (image := engine.query_images.get(body.image)) is None:
            raise UsageError(f"there is no query image {body.image}: it has expired, add it again")
        uploaded = image.content
    request = check_request(body, uploaded)
    call = engine.call if request.is_quick else computations.call
    head, found = await call(lambda index: classify(request, index))
    chunks = response_chunks(request, head, found)
    return StreamingResponse(chunks, media_type="application/json")
