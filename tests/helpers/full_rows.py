"""Rows that use every field, and their exact content."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.images.hashing import image_id
from clipsearch.records import ImageRecord, Metadata
from clipsearch.store import Collection
from clipsearch.types import ImageRow
from tests.helpers.records import many

UNUSUAL_PATHS = ("/a/line\nbreak.jpg", "/a/not utf-8 \udcff.png", '/a/"quoted" \\ é 图.webp')
METADATA: Metadata = {"license": "CC0 ü", "score": 0.1, "count": 2**40, "checked": True}


def full_rows(count: int, seed: int = 0) -> list[ImageRow]:
    """Rows with dates, places, cameras and tags in many of them, and unusual paths."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, row in enumerate(many(count, seed)):
        path = Path(UNUSUAL_PATHS[number]) if number < len(UNUSUAL_PATHS) else row.record.path
        record = replace(
            row.record,
            id=image_id(path),
            path=path,
            size=int(rng.integers(2**60)),
            mtime_ns=int(rng.integers(2**62)),
            taken_at=datetime(1 + number % 9998, 2, 3, 4, 5, 6) if number % 3 else None,
            taken_from="exif" if number % 3 else "",
            tags=tuple(f"tag {n} ü" for n in range(number % 5)),
            camera="Canon EOS 5D" if number % 2 else "",
            latitude=round(float(rng.uniform(-90, 90)), 7) if number % 4 else None,
            longitude=round(float(rng.uniform(-180, 180)), 7) if number % 4 else None,
            metadata=METADATA if number % 3 else {},
        )
        rows.append(ImageRow(record, row.embedding))
    return rows


def contents(collection: Collection) -> dict[str, tuple[ImageRecord, bytes, Any]]:
    """Everything that is stored of each row: the record, the bytes of its vector, its checksum."""
    checksums = dict(collection.scan_values(["id", "checksum"]))
    return {
        row.record.id: (row.record, row.embedding.tobytes(), checksums[row.record.id])
        for row in collection.scan_rows()
    }
