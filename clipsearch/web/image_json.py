"""Images and hits as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from clipsearch.files.paths import is_file
from clipsearch.locations.open_location import is_plain_file
from clipsearch.query.response import says_json
from clipsearch.records import Hit, ImageRecord


class JsonResponse(Response):
    """JSON in ASCII, since paths may hold bytes that are not Unicode: these become \\udcXX."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the values."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def image_json(record: ImageRecord) -> dict[str, Any]:
    """Return an image as JSON, see `ImageResult`; it looks whether the file is there."""
    return {
        "id": record.id,
        "path": str(record.path),
        "width": record.width,
        "height": record.height,
        "taken_at": None if record.taken_at is None else record.taken_at.isoformat(),
        "taken_from": record.taken_from,
        "format": record.format,
        "size": record.size,
        "mtime_ns": record.mtime_ns,
        "content_hash": record.content_hash,
        "tags": list(record.tags),
        "camera": record.camera,
        "latitude": record.latitude,
        "longitude": record.longitude,
        "metadata": dict(record.metadata),
        "missing": not is_file(record.path) and is_plain_file(record.path),
    }


def hit_json(hit: Hit, duplicates: Sequence[str] = ()) -> dict[str, Any]:
    """Return a hit as JSON, see `HitResult`."""
    return image_json(hit.record) | {
        "score": float(hit.score),
        "z": None if hit.z is None else float(hit.z),
        "p": None if hit.p is None else float(hit.p),
        "textness": None if hit.textness is None else float(hit.textness),
        "duplicates": list(duplicates),
        "says": says_json(hit),
    }
