"""Folders whose names are not UTF-8 travel through JSON, addresses and pages, and back."""

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_from_bytes, urlencode

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from clipsearch import Client, Filters
from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.images.hashing import image_id
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.path_text import from_path_text, to_path_text, with_path_texts
from clipsearch.web.settings import Settings
from tests.helpers.fakes import draw
from tests.helpers.http import listening

FOLDERS = ["caf\udce9", "a\nb \udcff%C3", "ä & #?+%FF", "\udcf0\udc9f"]

NAMES = st.binary(min_size=1).filter(lambda name: b"\0" not in name)


@given(NAMES)
def test_a_path_of_any_bytes_travels_in_json_and_in_addresses(name: bytes) -> None:
    path = os.fsdecode(b"/images/" + name)
    text = to_path_text(path)
    assert text.encode().decode().isprintable() or text == path
    assert Path(from_path_text(text)) == Path(path)
    assert to_path_text(text) == text
    for query in (
        urlencode({"q": "a", "under": text}).encode(),
        b"q=a&under=" + quote_from_bytes(os.fsencode(path)).encode(),
    ):
        [sent] = parse_qs(with_path_texts(query).decode())["under"]
        assert Path(from_path_text(sent)) == Path(path)


@given(st.dictionaries(st.sampled_from(["q", "under", "glob", "tag"]), st.text(min_size=1)))
def test_addresses_in_utf8_stay_as_they_are(values: dict[str, str]) -> None:
    query = urlencode(values, errors="replace").encode()
    assert with_path_texts(query) == query


pytestmark = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode")


@pytest.fixture(params=FOLDERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a.png and b.png, beside one with c.png."""
    for name in ("a.png", "b.png"):
        draw(tmp_path / request.param / name, "red")
    draw(tmp_path / "other" / "c.png", "blue")
    return tmp_path / str(request.param)


@pytest.fixture
def odd(server: Server, folder: Path) -> Iterator[TestClient]:
    """A client of a collection of `folder` and what is beside it."""
    settings = Settings(allow_write=True, roots=(folder.parent,))
    with open_index(server, "odd") as index:
        index.ingest(folder.parent)
    app = create_app(Engine(partial(open_index, server, "odd")), settings)
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        yield client
    with open_index(server, "odd") as index:
        index.store.drop("odd")


def post(client: TestClient, address: str, body: object) -> Any:
    """Send JSON in ASCII, in which bytes that are not UTF-8 are \\udcXX."""
    return client.post(
        address, content=json.dumps(body), headers={"Content-Type": "application/json"}
    )


def test_the_path_of_a_response_is_a_filter(odd: TestClient, folder: Path) -> None:
    hits = odd.get("/v1/search?limit=500").json()["hits"]
    assert len(hits) == 3
    folders = {os.fspath(Path(hit["path"]).parent) for hit in hits}
    assert os.fspath(folder) in folders
    for text in (os.fspath(folder), to_path_text(os.fspath(folder))):
        body = {"filters": {"under": text}, "limit": 1}
        first = post(odd, "/v1/search", body)
        assert first.status_code == 200, first.text
        second = odd.get(first.json()["next"]).json()
        assert second["next"] is None
        found = [hit["path"] for hit in first.json()["hits"] + second["hits"]]
        assert sorted(found) == [os.fspath(folder / name) for name in ("a.png", "b.png")]


def test_the_bytes_of_a_path_are_a_filter_of_an_address(odd: TestClient, folder: Path) -> None:
    address = f"/v1/search?under={quote_from_bytes(os.fsencode(folder))}"
    assert len(odd.get(address).json()["hits"]) == 2
    pattern = quote_from_bytes(os.fsencode(folder) + b"/a*")
    assert len(odd.get(f"/v1/search?glob={pattern}").json()["hits"]) == 1


def test_pages_link_to_the_folder(odd: TestClient, folder: Path) -> None:
    image = image_id(folder / "a.png")
    html = odd.get(f"/image/{image}").text
    [link] = [part.split('"')[0] for part in html.split('href="') if part.startswith("/?under=")]
    page = odd.get(unescape(link))
    assert page.status_code == 200
    assert page.text.count('<li class="tile">') == 2
    assert "Images 1 to 2" in page.text


def test_such_a_folder_can_be_ingested(odd: TestClient, folder: Path) -> None:
    response = post(odd, "/v1/ingest", {"paths": [os.fspath(folder)]})
    assert response.status_code == 202, response.text
    assert response.json()["paths"] == [os.fspath(folder)]


def test_the_client_sends_it(server: Server, odd: TestClient, folder: Path) -> None:
    with (
        listening(create_app(Engine(partial(open_index, server, "odd")))) as (host, port),
        Client(f"http://{host}:{port}") as client,
    ):
        assert len(client.search("red", filters=Filters(under=folder))) == 2


def test_what_no_path_can_be_is_refused(client: TestClient) -> None:
    for body in ({"filters": {"under": "\ud800"}}, {"filters": {"glob": "*\udc00"}}):
        response = post(client, "/v1/search", body)
        assert response.status_code == 422
    for under in ("file:////host/share", "//host/share", "file://%2F%2Fhost"):
        response = client.post("/v1/search", json={"filters": {"under": under}})
        assert response.status_code == 422
        assert "two slashes" in response.json()["detail"]
