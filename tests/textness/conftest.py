"""Fixtures of the textness tests."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch.files.discover import FileSource
from clipsearch.store import Collection, Store
from clipsearch.textness import (
    TextnessProbe,
    self_supervised,
)
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.synthetic_embeddings import SyntheticEmbeddings
from tests.helpers.text_encoder import (
    IMAGES_PER_CLASS,
    IMAGES_WITH_TEXT,
    IMAGES_WITHOUT_TEXT,
    EdgeEncoder,
    draw_images,
)


@pytest.fixture(scope="module")
def world() -> SyntheticEmbeddings:
    return SyntheticEmbeddings()


@pytest.fixture(scope="module")
def probe(world: SyntheticEmbeddings) -> TextnessProbe:
    return world.fit(200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images with text and one of images without."""
    folder = tmp_path_factory.mktemp("lettered")
    draw_images(folder / "with", IMAGES_WITH_TEXT, text=True)
    draw_images(folder / "without", IMAGES_WITHOUT_TEXT, text=False)
    return folder


@pytest.fixture(autouse=True, scope="module")
def small_fits() -> Iterator[None]:
    """Fit fewer images than by default, to save time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_supervised, "IMAGES_PER_CLASS", IMAGES_PER_CLASS)
        yield


@pytest.fixture
def edge_encoder() -> EdgeEncoder:
    return EdgeEncoder()


@pytest.fixture
def fresh(store: Store, folder: Path, edge_encoder: EdgeEncoder) -> Iterator[Collection]:
    """All images of `folder` in a collection of a model without a probe."""
    identity = replace(edge_encoder.identity, weights=f"fresh {np.random.default_rng().random()}")
    edge_encoder.identity = identity
    collection = store.create("fresh", identity)
    ingest(FileSource([folder]), collection, edge_encoder, IngestOptions())
    edge_encoder.embedded_images = 0
    yield collection
    store.drop("fresh")
