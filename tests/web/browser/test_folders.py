"""Folders as filters of the page, also those whose names are not UTF-8."""

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from tests.helpers.fakes import draw
from tests.web.browser.conftest import http_server
from tests.web.browser.helpers import shown, visit


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode")
@pytest.mark.parametrize("name", ["caf\udce9", "ä\n%FF \udcff", "plain & 100 %"])
def test_the_folder_of_an_image_is_a_filter(
    page: Page, page_server: Server, tmp_path: Path, name: str
) -> None:
    draw(tmp_path / name / "one.png", "teal")
    draw(tmp_path / "other" / "two.png", "pink")
    with open_index(page_server, "folders") as index:
        index.ingest(tmp_path)
    with http_server(page_server, "folders") as address:
        visit(page, address)
        expect(page.locator("#status")).to_contain_text("2 images")
        page.get_by_label("one.png", exact=True).first.click()
        page.get_by_role("link", name="Folder").click()
        expect(page.locator("#status")).to_contain_text("1 image")
        [found] = shown(page)
        page.reload()
        expect(page.locator("#status")).to_contain_text("1 image")
        page.locator("#applied button").click()
        expect(page.locator("#status")).to_contain_text("2 images")
        page.get_by_role("button", name="Filters").click()
        option = page.locator("#folders option[label*='(1)']:not([value$='other'])")
        expect(option).to_have_count(1)
        page.get_by_label("Folder").fill(option.get_attribute("value") or "")
        expect(page.locator("#status")).to_contain_text("1 image")
        assert shown(page) == [found]
    with open_index(page_server, "folders") as index:
        index.store.drop("folders")
