"""Words in images: the filter, the boxes and the hint, in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clipsearch.daemon.server import Server
from tests.helpers.served_texts import served_texts
from tests.web.browser.helpers import expect_hits, hits, visit

TEXTS = {"SALE.png": ("SALE", "now <b>50%</b>"), "EXIT.png": ("Exits",), "OPEN.png": ("open",)}


@pytest.fixture(autouse=True, scope="module")
def texts(page_server: Server, photos: Path) -> Iterator[None]:
    """The texts of three images, in the memory of the server."""
    with served_texts(page_server, photos, TEXTS):
        yield


def test_words_find_images_and_make_a_chip(page: Page) -> None:
    visit(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Words in the image").fill("exit")
    expected = hits(page, says="exit")
    assert [Path(hit["path"]).name for hit in expected] == ["EXIT.png"]
    expect_hits(page, expected)
    chip = page.get_by_role("button", name="Remove the filter Says: exit")
    expect(chip).to_be_visible()
    assert "says=exit" in page.url
    chip.click()
    expect(page.locator("#status")).to_contain_text("48 images")


def test_boxes_are_drawn_over_the_image_and_the_text_can_be_copied(page: Page) -> None:
    visit(page, "/?says=sale+50")
    page.locator('.tile[aria-posinset="1"] .tile-link').click()
    boxes = page.locator(".pswp__item[aria-hidden=false] .says-boxes")
    expect(boxes).to_be_visible()
    expect(boxes.locator("polygon")).to_have_count(2)
    image = page.locator(".pswp__item[aria-hidden=false] img.pswp__img").last.bounding_box()
    drawn = boxes.bounding_box()
    assert image is not None
    assert drawn is not None
    assert all(abs(image[side] - drawn[side]) < 2 for side in ("x", "y", "width", "height"))
    section = page.get_by_role("region", name="Text in the image")
    expect(section.locator("li")).to_have_text(["SALE", "now <b>50%</b>"])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    section.get_by_role("button", name="Copy text").click()
    expect(page.locator(".toast")).to_have_text("Copied the text")
    assert page.evaluate("navigator.clipboard.readText()") == "SALE\nnow <b>50%</b>"


def test_a_text_query_leads_to_the_images_that_show_it(page: Page) -> None:
    visit(page, "/?q=open")
    page.get_by_role("button", name="1 image with the words “open”").click()
    expect_hits(page, hits(page, says="open"))
    assert "says=open" in page.url
    assert "q=" not in page.url


def test_why_no_image_shows_the_words_is_said(page: Page) -> None:
    visit(page, "/?says=sael")
    expect(page.locator("#end")).to_contain_text("the nearest word that one does is 'sale'")
