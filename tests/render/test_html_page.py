"""Contact sheets as HTML, and the thumbnails of notebooks."""

import base64
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.render.contact_sheet import write_sheet
from clipsearch.render.notebook import MAX_THUMBNAILS, notebook_html
from clipsearch.render.result_section import Section
from tests.helpers.hits import make_hit


class Tags(HTMLParser):
    """Start tags with their attributes, as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def blue_image(path: Path) -> Path:
    Image.new("RGB", (300, 200), (10, 120, 200)).save(path, "png")
    return path


def write_page(path: Path, sections: list[Section]) -> str:
    write_sheet(path, sections)
    return path.read_text(encoding="utf-8")


def test_the_page_embeds_its_images_and_links_to_the_files(tmp_path: Path) -> None:
    file = blue_image(tmp_path / "a b.png")
    page = Tags(
        write_page(tmp_path / "s.html", [Section("two birds", [make_hit(file, 0.31, 4.1)])])
    )
    (image,) = page.all("img")
    kind, data = str(image["src"]).split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as inside:
        assert inside.size == (300, 200)
    assert image["alt"] == "result 1: a b.png"
    assert [link["href"] for link in page.all("a")] == [file.as_uri()]
    assert {"two birds", "0.310  z +4.1"} <= set(page.texts)


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids such names")
def test_names_and_titles_cannot_become_markup(tmp_path: Path) -> None:
    hits = [
        make_hit(blue_image(tmp_path / "<script>.jpg")),
        make_hit(blue_image(tmp_path / '"onload="x.jpg')),
    ]
    for text in (
        write_page(tmp_path / "s.html", [Section("</title><script>alert(1)</script>", hits)]),
        notebook_html(hits),
    ):
        page = Tags(text)
        assert not page.all("script")
        assert not any("onload" in attributes for _, attributes in page.tags)
        assert {"<script>.jpg", '"onload="x.jpg'} <= set(page.texts)


@pytest.mark.skipif(os.name == "nt", reason="file names are text on Windows")
def test_names_that_are_not_utf8_are_linked_exactly(tmp_path: Path) -> None:
    file = blue_image(tmp_path / os.fsdecode(b"caf\xe9\n.png"))
    page = Tags(write_page(tmp_path / "s.html", [Section("odd", [make_hit(file)])]))
    assert str(page.all("a")[0]["href"]).endswith("caf%E9%0A.png")
    assert r"caf\xe9\x0a.png" in page.texts


def test_the_page_is_self_contained(tmp_path: Path) -> None:
    text = write_page(
        tmp_path / "s.html", [Section("one", [make_hit(blue_image(tmp_path / "a.png"))])]
    )
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text


def test_image_queries_are_marked(tmp_path: Path) -> None:
    file = blue_image(tmp_path / "a.png")
    page = Tags(
        write_page(tmp_path / "s.html", [Section("like", [make_hit(file)], queries=[file])])
    )
    assert [figure["class"] for figure in page.all("figure")] == ["query", "hit"]


def test_a_missing_file_shows_the_reason(tmp_path: Path) -> None:
    page = Tags(
        write_page(tmp_path / "s.html", [Section("one", [make_hit(tmp_path / "gone.png")])])
    )
    assert not page.all("img")
    assert len(page.all("figure")) == 1


def test_notebooks_show_thumbnails_without_links(tmp_path: Path) -> None:
    page = Tags(notebook_html([make_hit(blue_image(tmp_path / "a.png"))]))
    assert len(page.all("img")) == 1
    assert not page.all("a")
    assert max(int(str(page.all("img")[0][side])) for side in ("width", "height")) <= 256


def test_notebooks_show_the_first_hits_and_count_the_rest(tmp_path: Path) -> None:
    file = blue_image(tmp_path / "a.png")
    page = Tags(notebook_html([make_hit(file)] * (MAX_THUMBNAILS + 3)))
    assert len(page.all("img")) == MAX_THUMBNAILS
    assert "… and 3 more" in page.texts


def test_a_notebook_shows_that_there_are_no_results() -> None:
    assert "no results" in notebook_html([])
