"""Who uses the page how: without scripts, on a phone, with a screen reader, in both themes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.web.browser.helpers import SEARCH, hits, shown, visit

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")


def test_without_scripts_a_form_links_and_pages_do_everything(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    assert page.locator(".tiles .tile").count() == 48
    box = page.get_by_label(SEARCH)
    box.fill("red - green")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(box).to_have_value("red - green")
    assert "q=red" in page.url
    page.goto("/?q=red&min_z=0&limit=20")
    page.get_by_role("link", name="Next page").click()
    page.get_by_role("link", name="Next page").click()
    assert page.locator(".tiles .tile").count() == 8
    page.get_by_role("link", name="Previous page").click()
    page.locator(".tile-link").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_role("link", name="Similar", exact=True).click()
    assert "q=id:" in page.url
    page.goto("/?q=red&min_z=1")
    page.get_by_role("link", name="Show less relevant images").click()
    assert page.locator(".tiles .tile").count() > 10
    page.goto("/")
    page.locator("summary").click()
    page.get_by_label("File name").fill("blue*")
    page.get_by_role("button", name="Apply").click()
    assert page.locator(".tiles .tile").count() == 5
    page.get_by_role("link", name="Collection").click()
    expect(page.get_by_role("heading", name="Folders")).to_be_visible()
    for hidden in ("#grid", "#theme", "#selection", ".slider"):
        assert not page.locator(hidden).first.is_visible()
    context.close()


def test_on_a_phone_everything_fits_and_works(browser: Browser, site: str) -> None:
    context = browser.new_context(
        base_url=site,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
        reduced_motion="reduce",
    )
    page = context.new_page()
    for address in (
        "/?q=red + a long text of many words&min_z=0",
        f"/?q={'sentence ' * 20}&min_z=0",
        f"/?q={'x' * 200}&min_z=0",
        f"/?under=/{'a long folder/' * 20}",
        "/collection",
    ):
        page.goto(address)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    visit(page, "/?q=red&min_z=0")
    page.get_by_role("button", name="Filters", exact=True).tap()
    expect(page.get_by_label("Folder")).to_be_visible()
    page.get_by_role("button", name="Filters", exact=True).tap()
    page.locator('.tile[aria-posinset="1"] .check-button').tap()
    page.locator('.tile[aria-posinset="2"] .check-button').tap()
    expect(page.locator(".selection-bar")).to_contain_text("2 images")
    page.locator('.tile[aria-posinset="1"] .tile-link').tap()
    expect(page.locator(".pswp")).to_be_visible()
    page.get_by_role("button", name="Details").tap()
    box = page.locator(".panel").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)
    page.get_by_role("button", name="Similar").tap()
    expect(page.locator(".chip img")).to_be_visible()
    context.close()


def _open_filters(page: Page) -> None:
    page.get_by_role("button", name="Filters", exact=True).click()
    page.wait_for_timeout(300)


def _open_lightbox(page: Page) -> None:
    page.locator('.tile[aria-posinset="1"] .tile-link').click()
    expect(page.locator(".panel")).to_be_visible()


def _open_keys(page: Page) -> None:
    page.keyboard.press("?")


def _select(page: Page) -> None:
    page.locator(".check-button").first.click()


STATES: dict[str, tuple[str, Callable[[Page], None] | None]] = {
    "results": ("/?q=2:red - id:ID&min_z=0", None),
    "filters": ("/?glob=r*&format=jpeg", _open_filters),
    "lightbox": ("/?q=red&min_z=0", _open_lightbox),
    "keys": ("/", _open_keys),
    "selection": ("/", _select),
    "nothing stands out": ("/?q=red&min_z=8", None),
    "an error": ("/?q=red -", None),
    "a damaged image": ("/?glob=broken*", None),
    "the page of an image": ("/image/ID?q=red", None),
    "an unknown image": ("/image/0", None),
    "the collection": ("/collection", None),
}


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_state_has_a_serious_fault_of_accessibility(context: BrowserContext, theme: str) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.goto("/")
    id_ = hits(page)[0]["id"]
    faults = []
    for name, (address, action) in STATES.items():
        page.goto(address.replace("ID", id_))
        page.wait_for_timeout(250)
        if action is not None:
            action(page)
        found = axe.Axe().run(page).response["violations"]
        faults += [
            (name, fault["id"], [node["target"] for node in fault["nodes"]][:4])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
    assert not faults, "\n".join(map(str, faults))


def test_tab_reaches_the_controls_in_order_and_one_tile(page: Page) -> None:
    visit(page, "/?q=red&min_z=0")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the images")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.tile')?.dataset.id") == shown(page)[0]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.tile')") is None


def test_the_focus_stays_in_the_open_lightbox(page: Page) -> None:
    visit(page)
    _open_lightbox(page)
    for _ in range(25):
        page.keyboard.press("Tab")
        outside = (
            "!document.activeElement.closest('.pswp') && document.activeElement !== document.body"
        )
        assert not page.evaluate(outside)
