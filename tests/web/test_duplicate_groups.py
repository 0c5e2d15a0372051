"""Hits of near-duplicates are grouped as `/v1/duplicates` lists them."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.index import Index
from clipsearch.query.near_duplicates import DuplicateGroup
from clipsearch.web import collection_routes
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from tests.helpers.daemons import serving

GROUPED = "/v1/search?q=circles&limit=500&group_duplicates=true"
SCENES = 3


def scene(seed: int) -> Image.Image:
    """Draw colored clouds with circles, 900 x 600 pixels."""
    random = np.random.default_rng(seed)
    clouds = Image.fromarray(random.integers(0, 255, (12, 18, 3), dtype=np.uint8))
    image = clouds.resize((900, 600), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for x, y, radius, *color in random.integers(0, (900, 600, 60, 255, 255, 255), (40, 6)).tolist():
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, fill=tuple(color))
    return image


@pytest.fixture(scope="module")
def copies_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A daemon of a collection of SCENES, each with a half-size and two WebP copies."""
    folder = tmp_path_factory.mktemp("copies")
    (folder / "images").mkdir()
    for seed in range(SCENES):
        image = scene(seed)
        image.save(folder / "images" / f"{seed}-whole.jpg", quality=95)
        image.resize((450, 300)).save(folder / "images" / f"{seed}-half.jpg", quality=60)
        image.save(folder / "images" / f"{seed}-pressed.webp", quality=30)
        image.resize((225, 150)).save(folder / "images" / f"{seed}-small.webp", quality=30)
    with Index.open(folder / "copies.db", model="pocket", daemon=False) as index:
        index.ingest(folder / "images")
    with serving(folder / "copies.db", idle=3_600) as server:
        yield server


@pytest.fixture
def copies(copies_server: Server) -> Iterator[TestClient]:
    """A client of that collection, whose near-duplicates are not known yet."""
    app = create_app(Engine(partial(open_index, copies_server, "images")))
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        yield client


def test_hits_are_grouped_by_embeddings_at_once_and_by_pixels_once_known(
    copies: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, find = threading.Event(), Index.duplicates

    def find_later(index: Index) -> list[DuplicateGroup]:
        release.wait(20)
        return find(index)

    monkeypatch.setattr(Index, "duplicates", find_later)
    before = copies.get(GROUPED).json()["hits"]  # does not wait
    assert len(before) > SCENES
    monkeypatch.setattr(collection_routes, "PATIENCE", 0.05)
    assert copies.get("/v1/duplicates").status_code == 202  # the search has started it
    assert copies.get("/v1/facets").status_code == 200
    release.set()
    monkeypatch.setattr(collection_routes, "PATIENCE", 20)
    groups = copies.get("/v1/duplicates").json()["groups"]
    assert sum(len(group["images"]) for group in groups) > 2 * SCENES
    hits = copies.get(GROUPED).json()["hits"]
    assert len(hits) < len(before)
    shown = [{hit["id"], *hit["duplicates"]} for hit in hits]
    assert sum(map(len, shown)) == 4 * SCENES
    for group in groups:
        assert any({image["id"] for image in group["images"]} <= ids for ids in shown)
    for hit in hits:  # an original and its copies, never another scene
        names = [copies.get(f"/v1/images/{id_}").json()["path"] for id_ in hit["duplicates"]]
        assert {Path(name).name[0] for name in names} <= {Path(hit["path"]).name[0]}


def test_a_failed_comparison_leaves_the_groups_of_the_embeddings(
    copies: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Index) -> None:
        raise OSError("a disk that is off")

    monkeypatch.setattr(Index, "duplicates", fail)
    for _ in range(3):
        assert len(copies.get(GROUPED).json()["hits"]) > SCENES
