"""`/v1/explain`: why an image matches a text."""

import base64
import io
from typing import Any

from fastapi import APIRouter
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from clipsearch.errors import ImageError
from clipsearch.explain import Explanation
from clipsearch.explain.explanation import explain_match
from clipsearch.files.stored_file import decode_stored
from clipsearch.index import Index
from clipsearch.render.heat_map import draw_explanation, draw_heat_layer
from clipsearch.web.dependencies import ModelComputationsOf
from clipsearch.web.image_json import JsonResponse
from clipsearch.web.model_schemas import ExplainBody, ExplainResult
from clipsearch.web.problems import PROBLEMS
from clipsearch.web.stored_images import find_image

router = APIRouter(prefix="/v1", tags=["model"], responses=PROBLEMS)

OVERLAY_SIDE = 512
"""Pixels of the longer side of an overlay; heat maps are smooth."""

FIGURES = {"image/webp": "WEBP", "image/png": "PNG"}

_FIGURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON, or a drawing if the header Accept asks for an image.",
        "content": {type_: {"schema": {"type": "string", "format": "binary"}} for type_ in FIGURES},
    }
}


@router.post("/explain", response_model=ExplainResult, responses=_FIGURE, summary="Explain a score")
async def explain(
    body: ExplainBody, request: Request, computations: ModelComputationsOf
) -> Response:
    """Return a heat map of where an image matches a text, and what each word contributes.

    With `Accept: image/webp` or `image/png`, a drawing of it.
    """
    accepted = request.headers.get("accept", "")
    figure = next((type_ for type_ in FIGURES if type_ in accepted), None)

    def work(index: Index) -> dict[str, Any] | bytes:
        explanation = _explain(body, index)
        if figure is not None:
            return _encode(_draw(explanation), FIGURES[figure])
        return _explanation_json(body, explanation)

    result = await computations.call(work)
    if isinstance(result, bytes):
        return Response(result, media_type=figure)
    return JsonResponse(result)


def _explain(body: ExplainBody, index: Index) -> Explanation:
    stored = find_image(body.id, index)
    try:
        with stored.open() as file:
            image = decode_stored(file)
    except ImageError as error:
        raise ImageError(f"{stored.record.path.name}: {error}") from error
    return explain_match(body.text, image, model=index.encoder, method=body.method)


def _explanation_json(body: ExplainBody, explanation: Explanation) -> dict[str, Any]:
    image = explanation.image
    overlay = image.copy()
    overlay.thumbnail((OVERLAY_SIDE, OVERLAY_SIDE))
    layer = _encode(draw_heat_layer(explanation.heat_map, overlay.size), "WEBP")
    return explanation.as_json() | {
        "id": body.id,
        "width": image.width,
        "height": image.height,
        "overlay": f"data:image/webp;base64,{base64.b64encode(layer).decode()}",
    }


def _draw(explanation: Explanation) -> Image.Image:
    words = [(word.word, word.value) for word in explanation.words]
    note = f"score {explanation.score:.3f} · {explanation.model}, {explanation.method}"
    return draw_explanation(
        explanation.image, explanation.heat_map, title=explanation.query, note=note, words=words
    )


def _encode(image: Image.Image, format_: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, quality=85)
    return buffer.getvalue()
