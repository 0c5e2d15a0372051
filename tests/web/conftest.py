"""An app over a daemon in this process, with a collection of drawn images and the model pocket."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.index import Index
from tests.helpers.daemons import serving
from tests.helpers.fakes import draw

pytest.importorskip("fastapi", reason="needs the extra `web`")

from fastapi import FastAPI
from fastapi.testclient import TestClient

from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine

COLORS = ("red", "green", "blue", "yellow", "white", "black", "orange", "purple")


MONTHS = range(1, 13)


@pytest.fixture(scope="session")
def web_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image of each of COLORS, such as red.png, and of each month of 2020.

    The latter are drawings in `dated`, such as IMG_20200301_120000.jpg, and have that date.
    copies/copy.png is a copy of red.png.
    """
    folder = tmp_path_factory.mktemp("web") / "images"
    for color in COLORS:
        draw(folder / f"{color}.png", color, size=(320, 240))
    for month in MONTHS:
        name = f"IMG_2020{month:02}01_120000.jpg"
        path = draw(folder / "dated" / name, (20 * month, 255 - 20 * month, 90), size=(200, 300))
        with Image.open(path) as image:
            ImageDraw.Draw(image).ellipse((20, 20, 20 + 10 * month, 200), fill=COLORS[month % 8])
            image.save(path)
    (folder / "copies").mkdir()
    shutil.copy(folder / "red.png", folder / "copies" / "copy.png")
    return folder


@pytest.fixture(scope="session")
def web_store(web_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose collection `images` has the 21 images of `web_folder`."""
    path = tmp_path_factory.mktemp("web-store") / "web.db"
    with Index.open(path, model="pocket", daemon=False) as index:
        index.ingest(web_folder)
    return path


@pytest.fixture(scope="session")
def server(web_store: Path) -> Iterator[Server]:
    """A daemon of `web_store`."""
    with serving(web_store, idle=3_600) as server:
        yield server


@pytest.fixture
def app(server: Server) -> FastAPI:
    """An app without a token, which cannot write."""
    return create_app(Engine(partial(open_index, server, "images")))


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of `app` in this process, without a socket."""
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        yield client
