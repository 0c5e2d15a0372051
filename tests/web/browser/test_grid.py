"""The grid in a browser: keyboard, selection, damaged images, many images."""

import io
import json
import zipfile
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from tests.helpers.fakes import draw
from tests.web.browser.conftest import COLORS, HOSTILE, MANY, http_server
from tests.web.browser.helpers import expect_hits, focused_id, hits, query_of, shown, visit

GEOMETRY = """tiles => tiles.map(tile => {
    const box = tile.getBoundingClientRect();
    return [Number(tile.getAttribute("aria-posinset")), box.left, box.top, box.width, box.height];
}).sort((one, other) => one[0] - other[0])"""


def test_tiles_are_whole_and_fill_rows(page: Page) -> None:
    visit(page)
    found = hits(page)
    boxes = page.eval_on_selector_all(".grid > .tile", GEOMETRY)
    assert len(boxes) > 10
    rows: dict[float, list[list[float]]] = {}
    for position, left, top, width, height in boxes:
        hit = found[int(position) - 1]
        assert abs(width / height - hit["width"] / hit["height"]) < 0.06 * width / height
        rows.setdefault(top, []).append([left, width])
    right = {round(row[-1][0] + row[-1][1]) for row in list(rows.values())[:-1]}
    assert len(right) == 1


def test_arrow_keys_move_and_enter_opens(page: Page) -> None:
    visit(page)
    ids = [hit["id"] for hit in hits(page)]
    page.keyboard.press("ArrowDown")
    assert focused_id(page) == ids[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert focused_id(page) == ids[2]
    page.keyboard.press("ArrowDown")
    below = ids.index(str(focused_id(page)))
    page.keyboard.press("ArrowUp")
    assert below > 2
    page.keyboard.press("End")
    assert focused_id(page) == ids[-1]
    page.keyboard.press("Home")
    assert focused_id(page) == ids[0]
    page.keyboard.press("Enter")
    expect(page.locator(".pswp")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".pswp")).to_have_count(0)
    page.wait_for_function(
        "id => document.activeElement.closest('.tile')?.dataset.id === id", arg=ids[0]
    )


def test_keys_search_for_similar_more_and_less(page: Page) -> None:
    visit(page)
    [first, second] = [hit["id"] for hit in hits(page)][:2]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("s")
    page.wait_for_url("**/?q=id*")
    assert query_of(page) == f"id:{first}"
    similar = hits(page, q=f"id:{first}", exclude_images="true", min_z=2)
    expect_hits(page, similar)
    assert focused_id(page) == similar[0]["id"]
    page.go_back()
    expect_hits(page, hits(page))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("+")
    expect(page.locator(".chip img")).to_have_count(1)
    page.go_back()
    expect_hits(page, hits(page))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("-")
    expect(page.locator(".chip.negative img")).to_have_count(1)
    page.wait_for_url("**=-+id*")
    assert query_of(page) == f"- id:{second}"


def test_question_mark_lists_the_keys(page: Page) -> None:
    visit(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_label("Search images")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Search images")).not_to_be_focused()
    # As if the button of the closed dialog still had the focus.
    page.locator("#keys button").dispatch_event("keydown", {"key": "/"})
    expect(page.get_by_label("Search images")).to_be_focused()


def test_images_are_selected_and_downloaded(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page)
    found = hits(page)
    checks = page.locator(".check-button")
    checks.nth(1).click()
    checks.nth(4).click(modifiers=["Shift"])
    expect(page.locator(".selection-bar")).to_contain_text("4 images")
    page.locator(".tile-link").nth(6).focus()
    page.keyboard.press("x")
    expect(page.locator(".selection-bar")).to_contain_text("5 images")
    chosen = [found[index] for index in (1, 2, 3, 4, 6)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    content = Path(download.value.path()).read_bytes()
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert {Path(name).name for name in names} == {Path(hit["path"]).name for hit in chosen}
    page.get_by_role("button", name="Copy paths").click()
    expect(page.locator("#toast")).to_contain_text("5 paths")
    text = page.evaluate("navigator.clipboard.readText()")
    assert sorted(text.split("\n")) == sorted(hit["path"] for hit in chosen)
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    records = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert {record["id"] for record in records} == {hit["id"] for hit in chosen}
    page.keyboard.press("Escape")
    expect(page.locator(".selection-bar")).to_be_hidden()
    page.locator(".tile-link").first.focus()
    page.keyboard.press("Control+a")
    expect(page.locator(".selection-bar")).to_contain_text("48 images")


def test_a_middle_click_opens_a_tab_with_the_page_of_the_image(
    page: Page, context: BrowserContext
) -> None:
    visit(page, "/?q=red&min_z=0")
    with context.expect_page() as opened:
        page.locator(".tile-link").first.click(button="middle")
    tab = opened.value
    tab.wait_for_load_state()
    assert f"/image/{shown(page)[0]}" in tab.url
    expect(tab.get_by_role("link", name="Back to the results")).to_be_visible()
    expect(page.locator(".pswp")).to_have_count(0)


def test_a_damaged_image_and_a_name_with_html_are_shown_as_text(page: Page) -> None:
    visit(page, "/?glob=broken*")
    broken = page.locator(".tile.broken")
    expect(broken).to_contain_text("broken.jpg")
    broken.locator(".tile-link").click()
    expect(page.locator(".pswp")).to_contain_text("This image cannot be shown.")
    page.keyboard.press("Escape")
    page.wait_for_function("() => !location.hash")
    visit(page, "/?glob=*onerror*")
    page.locator(".tile-link").click()
    expect(page.locator(".panel h2")).to_have_text(HOSTILE)
    assert page.title() == "clipsearch"
    page.goto(page.locator(".panel a", has_text="Own page").get_attribute("href") or "")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)


def test_ten_thousand_images_scroll(context: BrowserContext, many_site: str) -> None:
    page = context.new_page()
    visit(page, f"{many_site}/")
    expect(page.locator("#status")).to_have_text(f"{MANY:,} images")
    last = page.locator(f'.tile[aria-posinset="{MANY}"]')
    attempts = 300
    while attempts and not last.is_visible():  # each time at the end, the next page is loaded
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(100)
        attempts -= 1
    expect(last).to_be_visible()
    assert page.locator(".tile").count() < 150
    took = page.evaluate(
        """async () => {
            const frames = [];
            for (let step = 0; step < 40; step += 1) {
                scrollBy(0, -2500);
                const start = performance.now();
                await new Promise(requestAnimationFrame);
                frames.push(performance.now() - start);
            }
            return frames.sort((one, other) => one - other)[20];
        }"""
    )
    assert took < 250
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator('.tile[aria-posinset="1"]')).to_be_visible()


def test_panoramas_have_no_bars(browser: Browser, page_server: Server, tmp_path: Path) -> None:
    sizes = [(2400, 240), (300, 450), (3000, 120), (450, 300), (80, 900), (2000, 400), (300, 300)]
    for number, size in enumerate(sizes):
        draw(tmp_path / f"{number}.png", COLORS[number], size=size)
    with open_index(page_server, "wide") as index:
        index.ingest(tmp_path)
    with http_server(page_server, "wide") as address:
        for width in (1200, 390):
            page = browser.new_page(viewport={"width": width, "height": 900})
            visit(page, address)
            page.wait_for_function("document.querySelectorAll('img.loaded').length === 7")
            tiles = page.eval_on_selector_all(
                ".grid > .tile",
                """tiles => tiles.map(tile => {
                    const image = tile.querySelector("img");
                    const { width, height } = tile.getBoundingClientRect();
                    const ratio = image.naturalWidth / image.naturalHeight;
                    return [width / height, ratio, height, getComputedStyle(tile).backgroundColor];
                })""",
            )
            assert len(tiles) == len(sizes)
            for tile, whole, height, background in tiles:
                is_filled = abs(tile / whole - 1) < 0.06
                assert is_filled or background == "rgba(0, 0, 0, 0)"
                assert height >= 50
            assert sum(abs(tile / whole - 1) < 0.06 for tile, whole, *_ in tiles) >= 3
            page.close()
