"""`/v1/search`."""

from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from clipsearch.images.hashing import image_id

IMAGES = 21


def names(response: dict[str, list[dict[str, str]]]) -> list[str]:
    return [Path(hit["path"]).name for hit in response["hits"]]


def ids(response: dict[str, list[dict[str, str]]]) -> list[str]:
    return [hit["id"] for hit in response["hits"]]


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
    assert client.get("/v1/search?q=red&limit=3").json()["hits"][0]["id"] == hit["id"]


def test_an_image_of_the_collection_finds_itself(client: TestClient, web_folder: Path) -> None:
    id_ = image_id(web_folder / "green.png")
    assert names(client.get(f"/v1/search?q=id:{id_}").json())[0] == "green.png"
    body = {"terms": [{"id": id_}], "exclude_images": True}
    assert "green.png" not in names(client.post("/v1/search", json=body).json())


def test_pages_follow_each_other(client: TestClient) -> None:
    link, found = "/v1/search?q=red&limit=6", []
    while link:
        page = client.get(link).json()
        found += names(page)
        link = page["next"]
    assert len(found) == len(set(found)) == IMAGES
    assert page["cut"] == {"by": "p", "passed": IMAGES, "more_below": False}


def test_the_cut_ends_the_pages(client: TestClient) -> None:
    # For "red", red.png and its copy have equal scores, which no cut separates.
    hits = client.get("/v1/search?q=green").json()["hits"]
    min_z = (hits[3]["z"] + hits[4]["z"]) / 2
    first = client.get(f"/v1/search?q=green&limit=2&min_z={min_z}").json()
    assert first["cut"] == {"by": "p", "passed": None, "more_below": False}
    second = client.get(first["next"]).json()
    assert ids(first) + ids(second) == [hit["id"] for hit in hits[:4]]
    assert second["cut"] == {"by": "p", "passed": 4, "more_below": True}
    assert second["next"] is None


def test_pages_of_a_cut_by_p_are_full(client: TestClient) -> None:
    hits = client.get("/v1/search?q=green").json()["hits"]
    values = sorted(hit["p"] for hit in hits)
    _, min_p = max((high - low, (low + high) / 2) for low, high in pairwise(values[4:-5]))
    expected = [hit["id"] for hit in hits if hit["p"] >= min_p]
    link, pages = f"/v1/search?q=green&limit=4&min_p={min_p}", []
    while link:
        page = client.get(link).json()
        pages.append(ids(page))
        link = page["next"]
    assert [id_ for found in pages for id_ in found] == expected
    assert {len(found) for found in pages[:-1]} == {4}
    assert page["cut"] == {"by": "p", "passed": len(expected), "more_below": True}


def test_hits_above_the_cut_can_be_ordered_by_date(client: TestClient) -> None:
    hits = client.get("/v1/search?q=drawing").json()["hits"]
    min_score = hits[14]["score"] - 1e-6
    path = f"/v1/search?q=drawing&order=date&limit=8&min_score={min_score}"
    first = client.get(path).json()
    assert first["cut"] == {"by": "p", "passed": 15, "more_below": True}
    second = client.get(first["next"]).json()
    assert second["next"] is None
    dates = [hit["taken_at"] or "" for hit in first["hits"] + second["hits"]]
    assert dates == sorted((hit["taken_at"] or "" for hit in hits[:15]), reverse=True)


def test_without_terms_all_images_are_listed_by_date(client: TestClient) -> None:
    first = client.post("/v1/search", json={"limit": 15}).json()
    assert names(first)[:2] == ["IMG_20201201_120000.jpg", "IMG_20201101_120000.jpg"]
    assert first["hits"][0]["score"] is None
    assert first["cut"] == {"by": None, "passed": IMAGES, "more_below": False}
    second = client.get(first["next"]).json()
    assert (len(second["hits"]), second["next"]) == (IMAGES - 15, None)
    filtered = client.get("/v1/search?glob=*2020030*&format=jpeg").json()
    assert names(filtered) == ["IMG_20200301_120000.jpg"]


def test_duplicates_on_a_page_are_grouped(client: TestClient, web_folder: Path) -> None:
    plain = client.get("/v1/search?q=red").json()
    grouped = client.get("/v1/search?q=red&group_duplicates=true").json()
    duplicates = {hit["id"]: hit["duplicates"] for hit in grouped["hits"] if hit["duplicates"]}
    listed = ids(grouped) + [id_ for group in duplicates.values() for id_ in group]
    assert sorted(listed) == sorted(ids(plain))
    pair = {image_id(web_folder / name) for name in ("red.png", "copies/copy.png")}
    assert pair in [{leader, *group} for leader, group in duplicates.items()]


def test_nothing_found_has_reasons(client: TestClient) -> None:
    result = client.get("/v1/search?q=red&taken_from=2021").json()
    assert result["hits"] == []
    assert "taken_from leaves 0 of 21 images" in result["reasons"]
    assert client.get("/v1/search?taken_from=2021").json()["reasons"][0] == result["reasons"][0]
    assert "min_z" in client.get("/v1/search?q=red&min_z=99").json()["reasons"][0]


def test_textness_is_measured_if_it_is_asked_for(client: TestClient) -> None:
    assert client.get("/v1/search?q=red").json()["hits"][0]["textness"] is None
    assert 0 <= client.get("/v1/search?q=red&textness=0").json()["hits"][0]["textness"] <= 1
    browsed = client.get("/v1/search?textness=1").json()
    assert "textness" in browsed["warnings"][0]


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
        ({"filters": {"under": "//host.example/share"}}, "two slashes"),
        ({"filters": {"glob": "\\\\host.example\\share\\*"}}, "two slashes"),
        ({"terms": [{"image": "/etc/passwd"}]}, "the id of a query image"),
        ({"terms": [{"image": "q_unknown_one"}]}, "expired"),
        ({"terms": [{"text": "red"}, {"text": "red", "weight": -1}]}, "cancel"),
        ({"terms": [{"text": "a"}], "filters": {"near": [95, 0, 1]}}, "latitude"),
        ({"terms": [{"text": "a"}], "limit": 500, "offset": 16000}, "16,384"),
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
