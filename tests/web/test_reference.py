"""The reference of the API at `/docs`, and the OpenAPI description that it is drawn from."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient

from clipsearch.web.openapi import EXAMPLES
from clipsearch.web.problems import MEDIA_TYPE
from clipsearch.web.reference import describe_type, pieces


@pytest.fixture
def schema(client: TestClient) -> dict[str, Any]:
    result: dict[str, Any] = client.get("/openapi.json").json()
    return result


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, values)
        for path, methods in schema["paths"].items()
        for method, values in methods.items()
    ]


def test_every_operation_is_described(schema: dict[str, Any]) -> None:
    known = {tag["name"] for tag in schema["tags"]}
    ids = set()
    for method, path, values in operations(schema):
        name = f"{method} {path}"
        ids.add(values["operationId"])
        assert set(values["tags"]) <= known, name
        assert len(values["description"]) > 20, name
        words = values["summary"].split()
        assert words[1:] != [word.title() for word in words[1:]] or len(words) == 1, name
        for status in ("4XX", "5XX"):
            assert values["responses"][status]["content"].keys() == {MEDIA_TYPE}, name
        assert any(status.startswith("2") for status in values["responses"]), name
    assert len(ids) == len(operations(schema))


def test_every_type_is_described_in_words(schema: dict[str, Any]) -> None:
    for name, values in schema["components"]["schemas"].items():
        if not name.startswith("Body_"):  # FastAPI's name of a form
            assert values["description"], name


def test_examples_are_accepted(client: TestClient, schema: dict[str, Any]) -> None:
    id_ = client.get("/v1/search?limit=1").json()["hits"][0]["id"]
    for _, path, values in operations(schema):
        content = values.get("requestBody", {}).get("content", {}).get("application/json", {})
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if name in EXAMPLES and name != "IngestBody":  # of a folder that is not there
            example = EXAMPLES[name] | ({"id": id_} if "id" in EXAMPLES[name] else {})
            response = client.post(path, json=example)
            assert response.status_code == 200, response.text


def test_the_token_is_part_of_the_description(server: Any) -> None:
    from functools import partial

    from clipsearch.daemon.host import open_index
    from clipsearch.web.app import create_app
    from clipsearch.web.engine import Engine
    from clipsearch.web.settings import Settings

    app = create_app(Engine(partial(open_index, server, "images")), Settings(token="s3cret-token"))
    assert app.openapi()["security"] == [{"token": []}]
    assert "s3cret" not in str(app.openapi())


class Page(HTMLParser):
    """The ids, links and outside addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        self.sources += [values[name] for name in ("src", "action") if name in values]
        assert "style" not in values
        assert not any(name.startswith("on") for name in values)


def test_the_page_shows_every_operation_and_type(
    client: TestClient, schema: dict[str, Any]
) -> None:
    response = client.get("/docs")
    assert response.status_code == 200
    page = Page(response.text)
    assert len(set(page.ids)) == len(page.ids)
    for _, path, values in operations(schema):
        assert values["operationId"] in page.ids
        assert path in response.text
    for name in schema["components"]["schemas"]:
        assert f"type-{name}" in page.ids
    for link in page.links:
        assert not link.startswith("#") or link[1:] in page.ids, link
    assert all(address.startswith(("/", "#")) for address in (*page.links, *page.sources))


def test_types_are_named_in_words() -> None:
    assert describe_type({"type": "integer", "minimum": 1, "maximum": 500}) == "integer 1 to 500"
    assert describe_type({"type": "array", "items": {"type": "string"}}) == "list of string"
    assert describe_type({"anyOf": [{"type": "string"}, {"type": "null"}]}) == "string or null"
    assert describe_type({"enum": ["a", "b"]}) == '"a" or "b"'
    assert describe_type({"$ref": "#/components/schemas/Model"}) == "Model"


def test_code_is_split_from_words() -> None:
    assert list(pieces("see `a` and `<b>`")) == [
        (False, "see "),
        (True, "a"),
        (False, " and "),
        (True, "<b>"),
    ]


def test_markup_in_descriptions_is_escaped(client: TestClient) -> None:
    app: Any = client.app
    app.openapi()["info"]["description"] = "<script>alert(1)</script> `<b>`"
    text = client.get("/docs").text
    assert "<script>alert" not in text
    assert re.search(r"&lt;script&gt;", text)
