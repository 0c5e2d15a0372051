"""Search for words that images show, over HTTP, and by the client."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from clipsearch import Client
from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.errors import UsageError
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from tests.helpers.http import listening
from tests.helpers.served_texts import served_texts
from tests.helpers.texts import BOX

TEXTS = {"red.png": ("IKEA Berlin", "Receipt"), "green.png": ("ikeas",), "blue.png": ("Exit",)}


@pytest.fixture(autouse=True, scope="module")
def texts(server: Server, web_folder: Path) -> Iterator[None]:
    """The texts of some images of `web_folder`, in the memory of the server."""
    with served_texts(server, web_folder, TEXTS):
        yield


def found(result: dict[str, Any]) -> list[str]:
    return [Path(hit["path"]).name for hit in result["hits"]]


def test_words_find_images_with_their_lines(client: TestClient) -> None:
    result = client.get("/v1/search", params={"says": "ikea"}).json()
    assert found(result) == ["red.png", "green.png"]
    assert result["hits"][0]["says"] == [{"text": "IKEA Berlin", "box": list(BOX), "match": "word"}]
    assert result["hits"][1]["says"][0]["match"] == "prefix"
    assert [hit["score"] for hit in result["hits"]] == [1, 0.72]
    assert result["hits"][0]["z"] is None
    assert "3 of 21 images were read" in result["warnings"][0]
    assert client.post("/v1/search", json={"says": "ikea"}).json()["hits"] == result["hits"]


def test_words_and_terms_are_combined_in_pages(client: TestClient) -> None:
    first = client.get("/v1/search", params={"q": "green", "says": "ikea", "limit": 1}).json()
    second = client.get(first["next"]).json()
    assert sorted(found(first) + found(second)) == ["green.png", "red.png"]
    assert second["next"] is None
    assert client.get("/v1/search", params={"q": "green", "says": "no"}).json()["hits"] == []


def test_a_search_says_why_no_image_shows_the_words(client: TestClient) -> None:
    result = client.get("/v1/search", params={"says": "exti", "min_z": 2, "textness": 1}).json()
    assert result["reasons"][0] == "no image shows 'exti'; the nearest word that one does is 'exit'"


def test_a_text_that_images_show_is_named(client: TestClient) -> None:
    result = client.get("/v1/search", params={"q": "exit"}).json()
    assert result["said"] == [{"words": "exit", "images": 1}]
    assert client.get("/v1/search", params={"q": "a dog"}).json()["said"] == []


@pytest.mark.parametrize("says", ["...", "x" * 1_001])
def test_words_without_meaning_are_refused(client: TestClient, says: str) -> None:
    assert client.get("/v1/search", params={"says": says}).status_code in (400, 422)


def test_the_client_returns_the_lines(server: Server) -> None:
    app = create_app(Engine(partial(open_index, server, "images")))
    with (
        listening(app) as (host, port),
        Client(f"http://{host}:{port}") as client,
        open_index(server, "images") as index,
    ):
        assert client.search(says="ikea") == index.search(says="ikea")
        assert client.search("red", says="receipt")[0].says[0].text == "Receipt"
        with pytest.raises(UsageError, match="no letters"):
            client.search(says="-")
