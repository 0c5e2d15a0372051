"""The response to a query, and its JSON for the daemon and for HTTP; without numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from clipsearch.records import Hit, ImageRecord, SaysMatch
from clipsearch.remote_path import locate

_RECORD_FIELDS = tuple(field.name for field in fields(ImageRecord))


@dataclass(frozen=True, slots=True)
class Said:
    """Words of a text query, and how many images show them."""

    words: str
    images: int


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """The hits of a query, best first; the model's name; the time it took in milliseconds.

    `warnings` are sentences about what the model ignores of the texts, and about images that were
    not read; `reasons` say why there are no hits. `said` are texts of the query that are written in
    images, if that is known without delay.
    """

    hits: Sequence[Hit]
    model: str
    took_ms: float
    warnings: Sequence[str] = ()
    reasons: Sequence[str] = ()
    said: Sequence[Said] = ()


def response_json(response: SearchResponse) -> dict[str, Any]:
    """Return the response as JSON; each hit is flat, with all fields of its record."""
    hits = [_hit_json(hit) for hit in response.hits]
    return {
        "hits": hits,
        "model": response.model,
        "took_ms": response.took_ms,
        "warnings": list(response.warnings),
        "reasons": list(response.reasons),
        "said": [{"words": said.words, "images": said.images} for said in response.said],
    }


def parse_response(values: Mapping[str, Any]) -> SearchResponse:
    """Return the response that `response_json` wrote; raise KeyError or TypeError on another."""
    hits = [parse_hit(hit) for hit in values["hits"]]
    return SearchResponse(
        hits,
        values["model"],
        values["took_ms"],
        tuple(values["warnings"]),
        tuple(values["reasons"]),
        tuple(Said(said["words"], said["images"]) for said in values["said"]),
    )


def _hit_json(hit: Hit) -> dict[str, Any]:
    record = hit.record
    return {
        "id": record.id,
        # Bytes that are not UTF-8 become \udcXX, as in the output of `clipsearch query --json`.
        "path": str(record.path),
        "score": float(hit.score),
        "z": None if hit.z is None else float(hit.z),
        "p": None if hit.p is None else float(hit.p),
        "textness": None if hit.textness is None else float(hit.textness),
        "width": record.width,
        "height": record.height,
        "taken_at": None if record.taken_at is None else record.taken_at.isoformat(),
        "format": record.format,
        "size": record.size,
        "mtime_ns": record.mtime_ns,
        "content_hash": record.content_hash,
        "tags": list(record.tags),
        "taken_from": record.taken_from,
        "camera": record.camera,
        "latitude": record.latitude,
        "longitude": record.longitude,
        "metadata": dict(record.metadata),
        "says": says_json(hit),
    }


def says_json(hit: Hit) -> list[dict[str, Any]]:
    """Return the lines of an image with the words of the query as JSON."""
    return [
        {"text": line.text, "box": [round(edge, 5) for edge in line.box], "match": line.match}
        for line in hit.says
    ]


def parse_hit(values: Mapping[str, Any]) -> Hit:
    """Return the hit of a JSON object, whatever other fields it has."""
    says = tuple(
        SaysMatch(line["text"], tuple(line["box"]), line["match"])
        for line in values.get("says", ())  # servers of older versions have none
    )
    numbers = (values["score"], values["z"], values["textness"])
    return Hit(parse_record(values), *numbers, says, values.get("p"))


def parse_record(values: Mapping[str, Any]) -> ImageRecord:
    """Return the record of a JSON object, whatever other fields it has."""
    record = {name: values[name] for name in _RECORD_FIELDS if name != "metadata"}
    record["metadata"] = values.get("metadata", {})  # servers of older versions have none
    taken_at = record["taken_at"]
    record["path"] = locate(record["path"])
    record["taken_at"] = None if taken_at is None else datetime.fromisoformat(taken_at)
    record["tags"] = tuple(record["tags"])
    return ImageRecord(**record)
