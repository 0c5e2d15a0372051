"""One server with two collections and one headless Chromium for all tests of the page."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("fastapi", reason="needs the extra `web`")
pytest.importorskip("playwright.sync_api", reason="needs playwright")

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.images.hashing import image_id
from clipsearch.index import Index
from clipsearch.records import ImageRecord
from clipsearch.types import ImageRow
from clipsearch.vectors import normalize
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.settings import Settings
from tests.helpers.daemons import serving

MANY = 10_000
COLORS = ("red", "green", "blue", "orange", "purple", "white", "black", "yellow")
SIZES = ((320, 240), (240, 320), (400, 200), (300, 300), (640, 180))
HOSTILE = '<img src=x onerror="document.title=1">&.png'
WORDS = ("SALE", "EXIT", "PARKING", "COFFEE", "OPEN")


@pytest.fixture(scope="package")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 48 drawn images: 40 of colors and shapes, five of words, and others.

    Most have a date. `copy.jpg` looks like `red 0.jpg`, one has a name that is HTML, and
    `broken.jpg` is damaged once it is stored.
    """
    folder = tmp_path_factory.mktemp("page") / "photos"
    folder.mkdir()
    for number in range(40):
        color, size = COLORS[number % 8], SIZES[number % 5]
        image = Image.new("RGB", size, color)
        width, height = size
        pen = ImageDraw.Draw(image)
        corner = (number * 7 % (width // 2), number * 5 % (height // 2))
        box = (*corner, corner[0] + width // 3, corner[1] + height // 3)
        (pen.ellipse if number % 2 else pen.rectangle)(box, fill=COLORS[(number + 3) % 8])
        _save(image, folder / f"{color} {number // 8}.jpg", number)
    for number, word in enumerate(WORDS):
        image = Image.new("RGB", (400, 200), "white")
        ImageDraw.Draw(image).text((30, 60), word, fill="black", font_size=80)
        _save(image, folder / f"{word}.png", 100 + number)
    with Image.open(folder / "red 0.jpg") as image:
        image.save(folder / "copy.jpg", quality=70)
    Image.new("RGB", (300, 200), "pink").save(folder / HOSTILE)
    Image.effect_noise((300, 200), 90).save(folder / "broken.jpg")
    return folder


def _save(image: Image.Image, path: Path, number: int) -> None:
    exif = Image.Exif()
    taken = datetime(2020, 1, 1) + timedelta(days=37 * number)
    exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    image.save(path, exif=exif)


@pytest.fixture(scope="package")
def page_server(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A daemon of a store with the collections `images`, of `photos`, and `many`."""
    store = tmp_path_factory.mktemp("page-store") / "page.db"
    with Index.open(store, model="pocket", daemon=False) as index:
        index.ingest(photos)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff this was an image")
    with Index.open(store, collection="many", model="pocket", daemon=False) as index:
        dim = index.load().identity.dim
        collection = index.create_collection()
        rows = _random_rows(photos, dim)
        for start in range(0, MANY, 2_000):
            collection.upsert(rows[start : start + 2_000])
    with serving(store, idle=3_600) as server:
        yield server


def _random_rows(folder: Path, dim: int) -> list[ImageRow]:
    """Rows of files that do not exist, with random vectors and sizes."""
    random = np.random.default_rng(0)
    vectors = normalize(random.standard_normal((MANY, dim)).astype(np.float32))
    sizes = random.integers(200, 4_000, (MANY, 2))
    rows = []
    for number, (vector, (width, height)) in enumerate(zip(vectors, sizes, strict=True)):
        path = folder / f"{number:05}.jpg"
        record = ImageRecord(
            id=image_id(path),
            path=path,
            content_hash=f"{number:032x}",
            size=number,
            mtime_ns=1,
            width=int(width),
            height=int(height),
            format="jpeg",
            taken_at=datetime(2000, 1, 1) + timedelta(hours=number),
        )
        rows.append(ImageRow(record, vector))
    return rows


@contextmanager
def http_server(server: Server, collection: str, settings: Settings | None = None) -> Iterator[str]:
    """The address of an HTTP server of a collection."""
    app = create_app(Engine(partial(open_index, server, collection)), settings)
    config = uvicorn.Config(app, port=0, lifespan="on", log_config=None)
    http = uvicorn.Server(config)
    thread = threading.Thread(target=http.run, daemon=True)
    thread.start()
    while not http.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    port = http.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    http.should_exit = True
    thread.join(10)


@pytest.fixture(scope="package")
def site(page_server: Server) -> Iterator[str]:
    """The address of the page of the collection `images`."""
    with http_server(page_server, "images") as address:
        yield address


@pytest.fixture(scope="package")
def many_site(page_server: Server) -> Iterator[str]:
    """The address of the page of the collection `many`."""
    with http_server(page_server, "many") as address:
        yield address


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium of the system."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs the browser chromium: apt install chromium")
    with sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, site: str) -> Iterator[BrowserContext]:
    """A fresh profile with a desktop's window, on `site`."""
    context = browser.new_context(
        base_url=site, viewport={"width": 1200, "height": 800}, reduced_motion="reduce"
    )
    context.set_default_timeout(5_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab; fails if a script fails, or breaks the content policy."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda line: errors.append(line.text) if "Content Security" in line.text else None,
    )
    yield page
    assert not errors
