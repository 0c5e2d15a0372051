"""`/v1/search`."""

from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from clipsearch.images.hashing import image_id


def names(response: dict[str, list[dict[str, str]]]) -> list[str]:
    return [Path(hit["path"]).name for hit in response["hits"]]


def test_a_text_finds_images(client: TestClient, web_folder: Path) -> None:
    response = client.post("/v1/search", json={"terms": [{"text": "red"}], "limit": 3})
    assert response.status_code == 200
    result = response.json()
    assert len(result["hits"]) == 3
    hit = result["hits"][0]
    assert hit["id"] == image_id(Path(hit["path"]))
    assert (hit["width"], hit["height"], hit["format"]) == (320, 240, "png")
    assert not hit["missing"]
    assert result["model"] == "pocket"
    assert client.get("/v1/search?q=red&limit=3").json()["hits"] == result["hits"]


def test_an_image_of_the_collection_finds_itself(client: TestClient, web_folder: Path) -> None:
    id_ = image_id(web_folder / "green.png")
    assert names(client.get(f"/v1/search?q=id:{id_}").json())[0] == "green.png"
    body = {"terms": [{"id": id_}], "exclude_images": True}
    assert "green.png" not in names(client.post("/v1/search", json=body).json())


def test_pages_follow_each_other(client: TestClient) -> None:
    link, found = "/v1/search?q=red&limit=3", []
    while link:
        page = client.get(link).json()
        found += names(page)
        link = page["next"]
    assert len(found) == len(set(found)) == 8


def test_the_link_of_a_next_page_holds_the_whole_request(client: TestClient) -> None:
    body = {
        "terms": [{"text": 'a "big" - dog', "weight": 2}, {"text": "red", "weight": -0.5}],
        "filters": {"formats": ["png"], "min_width": 10},
        "limit": 2,
        "textness": -1,
        "exclude_images": True,
    }
    page = client.post("/v1/search", json=body).json()
    values = parse_qs(urlsplit(page["next"]).query)
    assert (values["format"], values["textness"], values["offset"]) == (["png"], ["-1.0"], ["2"])
    following = client.post("/v1/search", json=body | {"offset": 2}).json()
    assert client.get(page["next"]).json()["hits"] == following["hits"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"terms": [{"text": "a", "id": "abcdef"}]}, "exactly one"),
        ({"terms": [{"text": "a"}], "limit": 501}, "limit"),
        ({"terms": [{"text": "a"}], "filters": {"expression": "width > 3"}}, "expression"),
        ({"terms": [{"text": "a"}], "filters": {"formats": ["docx"]}}, "unknown format"),
        ({"terms": [{"text": "a"}], "filters": {"taken_from": "soon"}}, "not a date"),
        ({"terms": [{"text": "a"}], "min_z": "much"}, "min_z"),
        ({"terms": [{"id": "abcdef0"}]}, "no image has an id"),
        ({"terms": [{"image": "/etc/passwd"}]}, "pattern"),
    ],
)
def test_a_wrong_request_is_a_problem(
    client: TestClient, body: dict[str, object], message: str
) -> None:
    response = client.post("/v1/search", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["title"]) == (422, HTTPStatus(422).phrase)
    assert message in str(problem)


@pytest.mark.parametrize("name", ["/etc/passwd", "./a.jpg", "a.jpg", "https://a.example/b.png"])
def test_paths_and_urls_are_refused(client: TestClient, name: str) -> None:
    response = client.get("/v1/search", params={"q": name})
    assert response.status_code == 422
    assert "upload" in response.json()["detail"]
