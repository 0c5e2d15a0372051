"""The page of the collection in a browser."""

from pathlib import Path

from playwright.sync_api import Page, expect

from clipsearch.daemon.server import Server
from clipsearch.web.settings import Settings
from tests.helpers.fakes import draw
from tests.web.browser.conftest import http_server


def test_it_shows_rows_model_folders_and_duplicates(page: Page, photos: Path) -> None:
    page.goto("/collection")
    figures = page.locator(".figures")
    expect(figures).to_contain_text("48")
    expect(figures).to_contain_text("pocket")
    page.get_by_role("button", name="Find them").click()
    group = page.locator(".duplicate-group", has=page.get_by_alt_text("copy.jpg"))
    expect(group.get_by_alt_text("red 0.jpg")).to_be_visible()
    page.get_by_role("link", name=str(photos)).click()
    expect(page.locator("#status")).to_contain_text("48 images")


def test_an_ingest_is_started_followed_and_reported(
    page: Page, page_server: Server, tmp_path: Path
) -> None:
    draw(tmp_path / "new.png", "teal")
    (tmp_path / "<b>damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n no image")
    settings = Settings(allow_write=True, roots=(tmp_path,))
    with http_server(page_server, "written", settings) as address:
        page.goto(f"{address}/collection")
        expect(page.get_by_text("None yet")).to_be_visible()
        page.get_by_role("button", name="Ingest now").click()
        progress = page.locator("#job-progress")
        expect(progress).to_contain_text("Finished", timeout=20_000)
        expect(progress).to_contain_text("stored")
        expect(progress.locator(".rows .path")).to_contain_text("<b>damaged.png")
        expect(page.locator("#failures")).to_contain_text("<b>damaged.png")
        expect(page.locator("#roots")).to_contain_text(str(tmp_path))
        figures = page.locator(".figures > div")
        expect(figures.filter(has_text="Images")).to_contain_text("1")
        expect(figures.filter(has_text="Failures")).to_contain_text("1")
        page.reload()
        expect(page.locator(".card", has_text="Failures")).to_contain_text("<b>damaged.png")
        page.goto(f"{address}/")
        expect(page.locator("#status")).to_contain_text("1 image")
