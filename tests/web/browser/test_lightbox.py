"""The lightbox in a browser."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Page, expect

from tests.web.browser.helpers import expect_hits, focused_id, hits, query_of, visit


def open_first(page: Page, address: str = "/?q=red&min_z=0") -> list[dict[str, object]]:
    visit(page, address)
    found = hits(
        page, **{name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    )
    expect_hits(page, found)
    page.locator('.tile[aria-posinset="1"] .tile-link').click()
    expect(page.locator(".panel")).to_be_visible()
    return found


def test_keys_show_the_results_in_order(page: Page) -> None:
    found = open_first(page)
    name = page.locator(".panel h2")
    expect(name).to_have_text(Path(str(found[0]["path"])).name)
    for number in (1, 2):
        page.keyboard.press("ArrowRight")
        expect(name).to_have_text(Path(str(found[number]["path"])).name)
    assert page.url.endswith(f"#{found[2]['id']}")
    page.keyboard.press("i")
    expect(page.locator(".panel")).to_be_hidden()
    page.keyboard.press("i")
    expect(page.locator(".panel .scores")).to_contain_text(f"{found[2]['score']:.3f}")
    page.keyboard.press("x")
    expect(page.locator(".toast")).to_have_text("Selected")
    page.keyboard.press("Escape")
    expect(page.locator(".pswp")).to_have_count(0)
    page.wait_for_function("() => document.activeElement.closest('.tile') !== null")
    assert focused_id(page) == found[2]["id"]
    expect(page.locator(".selection-bar")).to_contain_text("1 image")
    assert "#" not in page.url


def test_the_list_of_keys_opens_above_the_image(page: Page) -> None:
    open_first(page)
    keys = page.get_by_role("dialog", name="Keys")
    for by_key in (True, False):
        page.keyboard.press("?")
        expect(keys).to_be_visible()
        page.keyboard.press("ArrowRight")
        if by_key:
            page.keyboard.press("Escape")
        else:
            keys.get_by_role("button", name="Close").click()
        expect(keys).to_be_hidden()
        expect(page.locator(".pswp__counter")).to_contain_text("1 /")


def test_back_closes_and_forward_opens(page: Page) -> None:
    found = open_first(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**#{found[1]['id']}")
    page.go_back()
    expect(page.locator(".pswp")).to_have_count(0)
    assert query_of(page) == "red"
    page.go_forward()
    expect(page.locator(".panel h2")).to_have_text(Path(str(found[1]["path"])).name)
    page.reload()
    expect(page.locator(".panel h2")).to_have_text(Path(str(found[1]["path"])).name)


def test_similar_more_and_less_of_this(page: Page) -> None:
    found = open_first(page)
    page.get_by_role("button", name="More of this").click()
    expect(page.locator(".pswp")).to_have_count(0)
    page.wait_for_url("**id*")
    assert query_of(page) == f"red + id:{found[0]['id']}"
    page.locator('.tile[aria-posinset="2"] .tile-link').click()
    page.get_by_role("button", name="Less of this").click()
    expect(page.locator(".chip.negative")).to_have_count(1)
    expect(page.locator(".pswp")).to_have_count(0)
    page.wait_for_url("**-+id*")
    page.locator('.tile[aria-posinset="1"] .tile-link').click()
    page.get_by_role("button", name="Similar").click()
    expect(page.locator(".chip")).to_have_count(1)
    page.go_back()
    expect(page.locator(".chip")).to_have_count(3)


def test_path_folder_and_file(page: Page, context: BrowserContext, photos: Path) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    found = open_first(page)
    page.get_by_role("button", name="Copy path").click()
    expect(page.locator("#toast")).to_have_text("Copied the path")
    assert page.evaluate("navigator.clipboard.readText()") == found[0]["path"]
    with page.expect_download() as download:
        page.locator(".panel").get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == Path(str(found[0]["path"])).read_bytes()
    page.get_by_role("link", name="Folder").click()
    expect(page.locator("#applied")).to_contain_text(str(photos))
    expect(page.locator("#status")).to_contain_text("48 images")


def test_explain_shows_a_heat_map_and_words(page: Page) -> None:
    found = open_first(page, "/?q=a red square&min_z=0")
    page.get_by_role("button", name="Explain").first.click()
    expect(page.locator(".heat")).to_be_visible(timeout=30_000)
    expect(page.locator(".word-bars li span:first-child")).to_have_text(["a", "red", "square"])
    image = page.locator(".pswp__item[aria-hidden=false] .pswp__img:not(.heat)").last
    assert page.locator(".heat").bounding_box() == image.bounding_box()
    text = page.get_by_label("Text to explain the image by")
    text.fill("")
    text.press_sequentially("zx s?")  # keys of the lightbox, but not here
    text.press("ArrowLeft")
    expect(text).to_have_value("zx s?")
    text.fill("青い circle")
    text.press("Enter")
    expect(page.locator(".explanation .notice")).to_contain_text("青い", timeout=30_000)
    expect(page.locator(".panel h2")).to_have_text(Path(str(found[0]["path"])).name)
    page.locator(".panel").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".panel h2")).to_have_text(Path(str(found[1]["path"])).name)
    expect(page.locator(".heat")).to_have_count(0)


def test_a_pasted_image_closes_the_open_one(page: Page) -> None:
    found = open_first(page)
    page.evaluate(
        """async (id) => {
            const blob = await (await fetch(`/v1/images/${id}/thumbnail?w=256`)).blob();
            const data = new DataTransfer();
            data.items.add(new File([blob], "image.webp", { type: "image/webp" }));
            const options = { bubbles: true, cancelable: true, clipboardData: data };
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        found[0]["id"],
    )
    expect(page.locator(".chip img")).to_have_count(1)
    expect(page.locator(".pswp")).to_have_count(0)
    assert query_of(page).startswith("red + image:q_")
    page.go_back()
    expect(page.locator(".chip img")).to_have_count(0)
    assert query_of(page) == "red"
