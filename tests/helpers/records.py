"""Rows for the tests of the store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from clipsearch.images.hashing import image_id
from clipsearch.models.base import ModelIdentity
from clipsearch.records import ImageRecord
from clipsearch.store import schema
from clipsearch.store.schema import CollectionSchema
from clipsearch.types import ImageRow

DIM = 4
MODEL = ModelIdentity(
    name="pocket", dim=DIM, weights="c0105", preprocessing="mean color", precision="fp32"
)


def row(
    path: str | Path,
    embedding: Sequence[float] = (1, 0, 0, 0),
    *,
    content: str = "hash",
    size: int = 1_000,
    mtime_ns: int = 1_700_000_000_000_000_000,
    format: str = "jpeg",  # noqa: A002
    taken_at: datetime | None = None,
) -> ImageRow:
    """A row of this absolute path; the embedding is scaled to length 1."""
    vector = np.asarray(embedding, dtype=np.float32)
    record = ImageRecord(
        id=image_id(Path(path)),
        path=Path(path),
        content_hash=content,
        size=size,
        mtime_ns=mtime_ns,
        width=640,
        height=480,
        format=format,
        taken_at=taken_at,
    )
    return ImageRow(record, (vector / np.linalg.norm(vector)).astype(np.float32))


def many(count: int, seed: int = 0) -> list[ImageRow]:
    """Rows with random embeddings: `/many/0.jpg` of 0 bytes, `/many/1.jpg` of 1 byte, and so on."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIM))
    return [
        row(f"/many/{n}.jpg", vector, content=f"hash {n // 2}", size=n)
        for n, vector in enumerate(vectors)
    ]


@contextmanager
def old_schema(*, version: int) -> Iterator[None]:
    """Make `Store.create` create collections as an older version of the schema did."""

    def image_schema(dim: int, description: str = "") -> CollectionSchema:
        new, fields = schema.image_schema(dim, description), schema.stored_fields(version)
        return replace(
            new,
            strings={name: size for name, size in new.strings.items() if name in fields},
            integers=tuple(name for name in new.integers if name in fields),
            string_lists={k: size for k, size in new.string_lists.items() if k in fields},
            objects=tuple(name for name in new.objects if name in fields),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clipsearch.store.catalog.SCHEMA_VERSION", version)
        patch.setattr("clipsearch.store.creation.image_schema", image_schema)
        yield
