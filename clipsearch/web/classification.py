"""Classification of stored and uploaded images for the API."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.classify import LinearProbe, resolve_templates
from clipsearch.classify.class_matrix import ClassMatrix
from clipsearch.classify.classifier import to_classifier
from clipsearch.classify.predictions import Classification, classify_rows
from clipsearch.errors import ModelMismatchError, UsageError
from clipsearch.index import Index
from clipsearch.query.condition import select_rows
from clipsearch.query.filters import NO_FILTERS
from clipsearch.query.parser import EmbeddedImage
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.types import ImageRow
from clipsearch.web.image_json import image_json
from clipsearch.web.model_schemas import ClassifyBody
from clipsearch.web.problems import Problem
from clipsearch.web.search_request import to_filters

MAX_TEXTS = 20_000
"""Labels times templates: about 20 s of `pocket` on two cores."""

QUICK_TEXTS = 200

CHUNK_IMAGES = 100


@dataclass(frozen=True, slots=True)
class Request:
    """A classification that is possible; `uploaded` is the image of the body, if it has one."""

    body: ClassifyBody
    probe: LinearProbe | None
    uploaded: EmbeddedImage | None
    texts: int

    @property
    def is_quick(self) -> bool:
        """Whether few texts are embedded, and not the whole collection is read."""
        is_small = self.body.ids is not None or self.uploaded is not None
        return is_small and self.texts <= QUICK_TEXTS


def check_request(body: ClassifyBody, uploaded: EmbeddedImage | None) -> Request:
    """Raise UsageError if the labels, templates or the probe cannot be used."""
    if body.probe is not None:
        return Request(body, LinearProbe.from_json(body.probe.model_dump()), uploaded, 0)
    texts = len(body.labels or ()) * len(resolve_templates(body.templates))
    if texts > MAX_TEXTS:
        raise UsageError(
            f"{texts:,} texts would be embedded, labels times templates; at most {MAX_TEXTS:,} are "
            "allowed: use fewer templates"
        )
    return Request(body, None, uploaded, texts)


def classify(request: Request, index: Index) -> tuple[dict[str, Any], list[Classification]]:
    """Return the model's name with warnings, and the classified images.

    Raises Problem 404 on an unknown id.
    """
    return index.read(lambda collection: _classify(request, index, collection))


def _classify(
    request: Request, index: Index, collection: Collection
) -> tuple[dict[str, Any], list[Classification]]:
    body, model = request.body, collection.info.model
    labels = request.probe or body.labels or ()
    classifier = to_classifier(labels, body.templates, model=model, encoder=index.load)
    warnings = classifier.warnings if isinstance(classifier, ClassMatrix) else ()
    rows = _rows(request, collection)
    found = list(classify_rows(rows, classifier, top=body.top, threshold=body.threshold))
    if body.ids is None:
        found.sort(key=lambda result: result.record.path)
    return {"model": model.name, "warnings": list(warnings)}, found


def response_chunks(
    request: Request, head: dict[str, Any], found: Sequence[Classification]
) -> Iterator[bytes]:
    """Yield the JSON of a `ClassifyResult`; one of a large collection has many megabytes."""
    yield json.dumps(head)[:-1].encode() + b', "images": ['
    for start in range(0, len(found), CHUNK_IMAGES):
        part = [_result_json(request, image) for image in found[start : start + CHUNK_IMAGES]]
        text = json.dumps(part, allow_nan=False, separators=(",", ":"))
        yield (("," if start else "") + text[1:-1]).encode()
    yield b"]}"


def _rows(request: Request, collection: Collection) -> Iterable[ImageRow]:
    body, uploaded = request.body, request.uploaded
    if uploaded is not None:
        if uploaded.weights != collection.info.model.weights:
            raise ModelMismatchError("another model embedded the image: upload it again")
        return [ImageRow(_no_record(body.image or ""), uploaded.embedding)]
    if body.ids is None:
        filters = NO_FILTERS if body.filters is None else to_filters(body.filters)
        return select_rows(collection, filters)
    rows = collection.get(body.ids)
    for id_ in body.ids:
        if id_ not in rows:
            raise Problem(404, f"no image has the id {id_}")
    return [rows[id_] for id_ in body.ids]


def _result_json(request: Request, result: Classification) -> dict[str, Any]:
    return {
        "id": result.record.id,
        "image": None if request.uploaded else image_json(result.record),
        "label": result.label,
        "predictions": [
            {"label": prediction.label, "probability": prediction.probability}
            for prediction in result.predictions
        ],
    }


def _no_record(id_: str) -> ImageRecord:
    """Return a record for an image that is not stored, of which only the id is used."""
    return ImageRecord(id_, Path(), "", 0, 0, 0, 0, "", None)
