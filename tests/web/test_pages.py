"""The pages without scripts: what the server draws."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from clipsearch.images.hashing import image_id
from clipsearch.web.page_templates import json_in_html
from clipsearch.web.page_values import format_bytes
from clipsearch.web.static_files import FOLDER

HTML = {"Accept": "text/html"}


class Page(HTMLParser):
    """The links, the scripts and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def get(client: TestClient, address: str, status: int = 200) -> Page:
    response = client.get(address, headers=HTML)
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("text/html")
    return Page(response.text)


def images(page: Page) -> list[str]:
    return [link.split("/")[2].split("?")[0] for link in page.links if link.startswith("/image/")]


def test_without_a_query_all_images_are_shown(client: TestClient) -> None:
    page = get(client, "/")
    count = len(images(page))
    assert count == len(set(images(page))) >= 8
    assert f"Images 1 to {count} of {count}" in page.text


def test_a_cut_that_leaves_nothing_offers_the_nearest_images(client: TestClient) -> None:
    page = get(client, "/?q=red&min_p=1")
    assert not images(page)
    assert "No good match" in page.text
    assert "best hit: score" in page.text
    assert "less relevant" not in page.text
    [nearest] = [link for link in page.links if "min_p=0" in link]
    assert images(get(client, nearest))


def test_a_query_ranks_images_as_the_api_does(client: TestClient) -> None:
    page = get(client, "/?q=red&min_z=0")
    hits = client.get("/v1/search?q=red&limit=60").json()["hits"]
    assert images(page) == [hit["id"] for hit in hits]
    boxes = [attrs["value"] for tag, attrs in page.tags if attrs.get("name") == "q"]
    assert boxes == ["red"]


def test_pages_lead_to_each_other_and_keep_the_query(client: TestClient) -> None:
    address, found = "/?q=red&min_z=0&limit=3&format=png", []
    while address:
        page = get(client, address)
        found += images(page)
        nexts = [link for link in page.links if "offset=" in link and "offset=0" not in link]
        later = [link for link in nexts if int(re.findall(r"offset=(\d+)", link)[0]) >= len(found)]
        address = later[0] if later else ""
        assert not address or "format=png" in address
    hits = client.get("/v1/search?q=red&limit=60&format=png").json()["hits"]
    assert found == [hit["id"] for hit in hits]


def test_an_image_has_a_page_of_its_own(client: TestClient, web_folder: Path) -> None:
    id_ = image_id(web_folder / "blue.png")
    page = get(client, f"/image/{id_}?q=blue")
    assert "blue.png" in page.text
    assert "320 × 240" in page.text
    assert f"/v1/images/{id_}/file" in page.links
    assert "/?q=blue" in page.links
    assert id_ not in images(page)


@pytest.mark.parametrize("address", ["/image/" + "0" * 32, "/image/x", "/image/%00"])
def test_an_unknown_image_is_an_error_page(client: TestClient, address: str) -> None:
    page = get(client, address, 404)
    assert "This image is not here" in page.text


def test_an_unknown_address_is_an_error_page_for_people(client: TestClient) -> None:
    assert "There is no such page" in get(client, "/nope", 404).text
    for address, headers in (("/nope", {}), ("/v1/nope", HTML)):
        response = client.get(address, headers=headers)
        assert response.status_code == 404
        assert response.json()["detail"] == "Not Found"


@pytest.mark.parametrize(
    "parameters",
    [
        {"q": "house -"},
        {"q": "image:q_xx"},
        {"q": "image:q_"},
        {"q": "../secret.jpg"},
        {"q": "https://example.org/x.jpg"},
        {"q": "x" * 9000},
        {"min_z": "many", "q": "red"},
        {"min_width": "-1"},
        {"taken_from": "soon"},
        {"order": "size"},
        {"offset": "99999999999"},
        {"limit": "0"},
        {"near": "north"},
    ],
)
def test_a_wrong_query_is_explained_on_the_page(
    client: TestClient, parameters: dict[str, str]
) -> None:
    page = get(client, f"/?{urlencode(parameters)}", 422)
    [alert] = [attrs for _, attrs in page.tags if attrs.get("role") == "alert"]
    assert alert["class"] == "notice error"
    assert "pattern" not in page.text
    assert "search" in [attrs.get("id") for _, attrs in page.tags]


@pytest.mark.parametrize("number", ["3.0", " 3 ", "+3", "03", "\uff13", "3_0", "1e1", "nan", "\0"])
def test_numbers_in_an_unusual_form_are_read_or_explained(client: TestClient, number: str) -> None:
    for name in ("offset", "limit", "min_z", "min_width"):
        parameters = {"q": "red", name: number}
        assert client.get("/", params=parameters, headers=HTML).status_code in (200, 422), name


def test_parameters_of_others_and_empty_ones_are_ignored(client: TestClient) -> None:
    assert images(get(client, "/?q=&under=&utm_source=x&format=")) == images(get(client, "/"))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "</script><b>"])
def test_text_of_a_query_stays_text(client: TestClient, text: str) -> None:
    response = client.get("/", params={"q": text}, headers=HTML)
    page = Page(response.text)
    assert not [tag for tag, attrs in page.tags if tag == "b" or attrs.get("src") == "x"]
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert all(attrs.get("src") or attrs["type"] == "application/json" for attrs in scripts)


def test_pages_have_no_inline_script_or_style(client: TestClient, web_folder: Path) -> None:
    for address in ("/", "/?q=red", f"/image/{image_id(web_folder / 'red.png')}", "/image/0"):
        for tag, attrs in Page(client.get(address, headers=HTML).text).tags:
            assert not any(name.startswith("on") for name in attrs), (address, tag)
            assert tag != "style"
            assert "style" not in attrs


def test_all_files_that_pages_and_scripts_name_exist(client: TestClient, web_folder: Path) -> None:
    names: set[str] = set()
    for address in (
        "/",
        f"/image/{image_id(web_folder / 'red.png')}",
        "/image/0",
        "/collection",
        "/docs",
    ):
        for _, attrs in Page(client.get(address, headers=HTML).text).tags:
            names |= {attrs.get("src") or "", attrs.get("href") or ""}
    files = {name.split("#")[0] for name in names if name.startswith("/static/")}
    assert len(files) > 10
    for name in files:
        assert client.get(name).status_code == 200, name
    for script in (FOLDER / "js").glob("*.js"):
        for name in re.findall(r'from "(.+)"', script.read_text(encoding="utf-8")):
            assert (script.parent / name).is_file(), (script.name, name)


def test_the_data_for_scripts_holds_the_same_hits(client: TestClient) -> None:
    html = client.get("/?q=red&min_z=0", headers=HTML).text
    [text] = re.findall(r'id="page-data">(.*?)</script>', html, re.DOTALL)
    data = json.loads(text)
    assert data["terms"] == [{"kind": "text", "content": "red", "weight": 1.0}]
    assert [hit["id"] for hit in data["page"]["hits"]] == images(Page(html))


def test_json_in_html_cannot_end_its_element() -> None:
    value = {"name": "</script><!--&\udcff\u2028"}
    text = str(json_in_html(value))
    assert not set("<>&") & set(text)
    assert json.loads(text) == value


def test_the_theme_of_a_cookie_is_in_the_page(client: TestClient) -> None:
    for cookie, theme in (("dark", "dark"), ("light", "light"), ('"><b>', None), ("", None)):
        page = Page(client.get("/", headers=HTML | {"Cookie": f"theme={cookie}"}).text)
        assert dict(page.tags)["html"].get("data-theme") == theme


def test_sizes_are_written_in_decimal_units() -> None:
    sizes = {0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 999_499: "999 kB", 999_500: "1.0 MB"}
    assert {size: format_bytes(size) for size in sizes} == sizes
    assert format_bytes(10**15) == "1000 TB"
