"""`/v1/embeddings`: embeddings of texts and images, in the shape of OpenAI's API."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter
from PIL import Image
from starlette.responses import Response

from clipsearch.errors import ImageError, UsageError, shorten
from clipsearch.images.decode import decode
from clipsearch.index import Index
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_texts, encode_pixels
from clipsearch.models.text_loss import text_warnings
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from clipsearch.web.dependencies import EngineOf, ModelComputationsOf
from clipsearch.web.image_json import JsonResponse
from clipsearch.web.model_schemas import EmbeddingsBody, EmbeddingsResult
from clipsearch.web.problems import PROBLEMS

router = APIRouter(prefix="/v1", tags=["model"], responses=PROBLEMS)

MAX_IMAGES = 64
"""Images of one request, which are embedded as one batch."""

QUICK_INPUTS = 8
"""Larger requests wait for each other, so that they do not slow all searches down."""

_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


@router.post("/embeddings", response_model=EmbeddingsResult, summary="Embed texts or images")
async def create_embeddings(
    body: EmbeddingsBody, engine: EngineOf, computations: ModelComputationsOf
) -> Response:
    """Return the embeddings of texts or images by the collection's model, each of length 1.

    The request and the response are those of OpenAI's API, so that its clients can be used.
    """
    inputs = body.input
    if body.modality == "image":
        if len(inputs) > MAX_IMAGES:
            raise UsageError(f"at most {MAX_IMAGES} images can be embedded by one request")
        work = partial(_embed_images, inputs, engine.limits.upload_pixels)
    else:
        if any(len(text) > engine.limits.text_length for text in inputs):
            raise UsageError(f"a text must have at most {engine.limits.text_length:,} characters")
        work = partial(_embed_texts, inputs)
    call = engine.call if len(inputs) <= QUICK_INPUTS else computations.call
    return JsonResponse(await call(partial(_answer, body, len(inputs), work)))


def _answer(
    body: EmbeddingsBody, count: int, embed: Callable[[Encoder], Vectors], index: Index
) -> dict[str, Any]:
    model = index.collection.info.model
    if body.model not in (None, "", model.name):
        raise UsageError(f"the model {shorten(body.model)!r} is not served, but {model.name}")
    if body.dimensions not in (None, model.dim):
        raise UsageError(f"embeddings of {model.name} have {model.dim} dimensions")
    data = [
        {"object": "embedding", "index": number, "embedding": _encode(vector, body.encoding_format)}
        for number, vector in enumerate(embed(index.encoder))
    ]
    return {
        "object": "list",
        "data": data,
        "model": model.name,
        "usage": {"prompt_tokens": count, "total_tokens": count},
        "warnings": text_warnings(index.encoder, body.input if body.modality == "text" else []),
    }


def _embed_texts(texts: Sequence[str], encoder: Encoder) -> Vectors:
    return embed_texts(encoder, texts)


def _embed_images(uris: Sequence[str], max_pixels: int, encoder: Encoder) -> Vectors:
    """Embed the images in data URIs; raise an error with the number of one that is wrong."""
    pixels = []
    for number, uri in enumerate(uris):  # one at a time, as each may need 300 MB
        try:
            pixels.append(encoder.preprocess(_decode(uri, max_pixels)))
        except ImageError as error:
            raise ImageError(f"input {number}: {error}") from error
        except UsageError as error:
            raise UsageError(f"input {number}: {error}") from error
    return normalize(encode_pixels(encoder, pixels))


def _encode(vector: Vectors, encoding: str) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(number) for number in vector]


def _decode(uri: str, max_pixels: int) -> Image.Image:
    match = _DATA_URI.match(uri)
    if match is None:
        raise UsageError(
            "an image must be a data URI (data:image/png;base64,…): the server opens no URLs or "
            "files that a client names"
        )
    try:
        data = base64.b64decode(uri[match.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"the data URI is not valid base64: {error}") from error
    return decode(data, max_pixels=max_pixels).image
