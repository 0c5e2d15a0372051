"""The search page in a browser: chips, sliders, filters, history and errors."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.web.browser.helpers import SEARCH, expect_hits, hits, query_of, shown, visit


def test_typing_shows_results_at_once(page: Page) -> None:
    visit(page, "/?min_z=0")
    expect_hits(page, hits(page))
    page.get_by_label(SEARCH).press_sequentially("red", delay=20)
    expect_hits(page, hits(page, q="red"))
    expect(page.locator("#status")).to_contain_text("images")
    assert query_of(page) == "red"
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(1)
    expect(page.get_by_label(SEARCH)).to_have_value("")


def test_half_a_word_has_no_hint(page: Page) -> None:
    visit(page)
    page.evaluate("""() => {
      window.seen = [];
      const note = () => window.seen.push(document.querySelector("#notices").textContent);
      new MutationObserver(note).observe(document.querySelector("#notices"), { childList: true });
    }""")
    page.get_by_label(SEARCH).press_sequentially("a girrafe", delay=120)
    expect(page.locator("#notices")).to_contain_text('not "a girrafe"')
    texts = [text for text in page.evaluate("window.seen") if text]
    assert all("a girrafe" in text for text in texts)


def test_a_chip_is_negated_weighted_edited_and_removed(page: Page) -> None:
    visit(page, "/?q=red&min_z=0")
    box = page.get_by_label(SEARCH)
    box.fill("a blue circle")
    box.press("Enter")
    page.get_by_role("button", name="a blue circle: added, subtract it").click()
    expect(page.locator(".chip.negative")).to_have_count(1)
    expect_hits(page, hits(page, q="red - a blue circle"))
    page.get_by_label("Weight of red").fill("2.5")
    expect_hits(page, hits(page, q="2.5:red - a blue circle"))
    assert query_of(page) == "2.5:red - a blue circle"
    for useless, kept in (("0", "2.5"), ("", "2.5"), ("-3", "2.5"), ("99", "10"), ("2.5", "2.5")):
        page.get_by_label("Weight of red").fill(useless)
        page.get_by_label("Weight of red").blur()
        expect(page.get_by_label("Weight of red")).to_have_value(kept)
        assert query_of(page) == f"{kept}:red - a blue circle"
    page.get_by_role("button", name="Edit a blue circle").click()
    expect(box).to_have_value("- a blue circle")
    box.fill("")
    expect_hits(page, hits(page, q="2.5:red"))
    box.press("Backspace")
    expect(page.locator(".chip")).to_have_count(0)
    expect_hits(page, hits(page))


def test_typed_operators_make_several_chips(page: Page) -> None:
    visit(page)
    page.get_by_label(SEARCH).fill('2:house + "a - b" - people')
    page.keyboard.press("Enter")
    expect(page.locator(".chip .content")).to_have_text(["house", "a - b", "people"])
    expect(page.locator(".chip.negative .content")).to_have_text(["people"])
    assert query_of(page) == '2:house + "a - b" - people'
    page.reload()
    expect(page.locator(".chip .content")).to_have_text(["house", "a - b", "people"])


def test_a_dropped_a_pasted_and_a_chosen_image_are_searched(page: Page, photos: Path) -> None:
    visit(page)
    give = """async ([kind, id]) => {
        const blob = await (await fetch(`/v1/images/${id}/thumbnail?w=256`)).blob();
        const data = new DataTransfer();
        data.items.add(new File([blob], "image.webp", { type: "image/webp" }));
        const options = { bubbles: true, cancelable: true };
        const event = kind === "paste"
          ? new ClipboardEvent("paste", { ...options, clipboardData: data })
          : new DragEvent("drop", { ...options, dataTransfer: data });
        document.body.dispatchEvent(event);
    }"""
    green = next(hit["id"] for hit in hits(page) if hit["path"].endswith("green 0.jpg"))
    for count, kind in enumerate(("paste", "drop"), 1):
        page.evaluate(give, [kind, green])
        expect(page.locator(".chip img")).to_have_count(count)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search by an image").click()
    chooser.value.set_files(photos / "blue 1.jpg")
    expect(page.locator(".chip img")).to_have_count(3)
    assert query_of(page).count("image:q_") == 3
    expect_hits(page, hits(page, q=query_of(page), exclude_images="true", min_z=2))
    loaded = "image => image.complete && image.naturalWidth > 0"
    for image in page.locator(".chip img").all():
        page.wait_for_function(loaded, arg=image.element_handle())


def test_a_file_that_is_not_an_image_is_explained(page: Page, tmp_path: Path) -> None:
    visit(page)
    path = tmp_path / "notes.png"
    path.write_text("no image")
    page.locator("#image-file").set_input_files(path)
    expect(page.locator("#toast")).to_be_visible()
    expect(page.locator("#toast")).to_contain_text("notes.png: not an image")
    expect(page.locator(".chip")).to_have_count(0)


def test_sliders_change_order_and_cut(page: Page) -> None:
    visit(page, "/?q=white&min_z=0")
    expect_hits(page, hits(page, q="white"))
    before = shown(page)
    slider = page.get_by_label("Text")
    for _ in range(4):
        slider.press("ArrowRight")
    expect_hits(page, hits(page, q="white", textness=2))
    assert shown(page) != before
    assert "textness=2" in page.url
    cut = page.locator("#min-z")
    for _ in range(2):
        cut.press("ArrowRight")
    kept = hits(page, q="white", textness=2, min_z=1)
    expect(page.locator("#status")).to_contain_text(f"{len(kept)} image")
    assert len(kept) < len(before)


def test_below_the_cut_a_line_and_a_button_go_on(page: Page) -> None:
    visit(page, "/?q=red&min_z=1.5")
    above = hits(page, q="red", min_z=1.5)
    expect_hits(page, above)
    expect(page.locator("#end")).to_contain_text("less relevant below")
    assert len(shown(page)) == len(above)
    page.get_by_role("button", name="Show less relevant images").click()
    expect(page.locator(".divider")).to_have_text("less relevant below")
    expect(page.locator("#status")).to_contain_text("48 images")
    page.keyboard.press("Escape")
    found = shown(page)
    assert found == [hit["id"] for hit in hits(page, q="red")][: len(found)]


def test_nothing_above_the_cut_is_an_own_state(page: Page) -> None:
    visit(page, "/?q=red&min_z=8")
    expect(page.get_by_role("heading", name="No good match")).to_be_visible()
    page.get_by_role("button", name="Show the nearest images").click()
    expect_hits(page, hits(page, q="red"))


def test_filters_narrow_the_results_and_are_removed_one_by_one(page: Page) -> None:
    visit(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("File name").fill("red*")
    page.get_by_label("Taken from").fill("2020-06-01")
    expected = hits(page, glob="red*", taken_from="2020-06-01")
    assert 0 < len(expected) < 6
    expect(page.locator("#status")).to_contain_text(f"{len(expected)} image")
    expect_hits(page, expected)
    page.get_by_role("button", name="Remove the filter From").click()
    expect(page.locator("#status")).to_contain_text("5 images")
    assert "taken_from" not in page.url
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#status")).to_contain_text("48 images")


def test_filters_that_leave_nothing_are_named_as_on_the_page(page: Page) -> None:
    visit(page, "/?tag=none&min_width=9999")
    expect(page.locator(".message p")).to_have_text(
        "\u201cTag\u201d leaves 0 of 48 images; \u201cMin. width\u201d leaves 0 of 48 images; "
        "together they leave 0"
    )


def test_a_wrong_filter_is_explained(page: Page) -> None:
    visit(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Near: latitude").fill("the north pole")
    expect(page.get_by_role("alert")).to_contain_text("LAT,LON,KM")
    page.get_by_label("Near: latitude").fill("")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_order_by_date_stays_within_the_cut(page: Page) -> None:
    visit(page, "/?q=red&min_z=1")
    page.get_by_text("Date", exact=True).click()
    expected = hits(page, q="red", min_z=1, order="date")
    expect_hits(page, expected)
    dates = [hit["taken_at"] or "" for hit in expected]
    assert dates == sorted(dates, reverse=True)
    assert "order=date" in page.url


def test_duplicates_are_grouped(page: Page) -> None:
    visit(page, "/?q=red&min_z=0")
    page.get_by_label("Group duplicates").check()
    expected = hits(page, q="red", group_duplicates="true")
    assert len(expected) < 48
    expect(page.locator("#status")).to_contain_text(f"{len(expected)} images")
    grouped = [hit for hit in expected if hit["duplicates"]]
    badge = page.locator(f'.tile[data-id="{grouped[0]["id"]}"] .badge')
    expect(badge).to_have_text(f"+{len(grouped[0]['duplicates'])}")


def test_back_and_forward_restore_query_results_and_place(page: Page) -> None:
    visit(page, "/?q=red&min_z=0")
    page.evaluate("scrollTo(0, 700)")
    page.wait_for_timeout(300)
    box = page.get_by_label(SEARCH)
    page.keyboard.press("Control+k")
    box.fill("green")
    box.press("Enter")
    expect_hits(page, hits(page, q="red + green"))
    page.wait_for_function("() => scrollY === 0")
    page.go_back()
    expect(page.locator(".chip")).to_have_count(1)
    page.wait_for_function("() => scrollY === 700")
    assert query_of(page) == "red"
    page.go_forward()
    expect(page.locator(".chip")).to_have_count(2)
    expect_hits(page, hits(page, q="red + green"))
    page.go_back()
    page.goto("/collection")
    page.go_back()
    page.wait_for_function("() => scrollY === 700")
    expect(page.locator(".chip")).to_have_count(1)


def test_typing_is_one_step_of_history(page: Page) -> None:
    visit(page)
    length = page.evaluate("history.length")
    box = page.get_by_label(SEARCH)
    for text in ("g", "gr", "gre", "green"):
        box.fill(text)
        page.wait_for_timeout(220)
    assert query_of(page) == "green"
    assert page.evaluate("history.length") == length + 1
    page.go_back()
    expect(box).to_have_value("")
    expect_hits(page, hits(page))


def test_earlier_queries_are_offered(page: Page) -> None:
    visit(page)
    box = page.get_by_label(SEARCH)
    for text in ("green", "blue - red"):
        box.fill(text)
        box.press("Enter")
        page.wait_for_timeout(100)
        page.goto("/")
    box.focus()
    options = page.locator("#suggestions [role=option]")
    expect(options).to_have_text(["blue - red", "green"])
    box.press("ArrowDown")
    box.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(page.locator(".chip .content")).to_have_text(["green"])


def test_a_server_that_fails_is_reported_and_asked_again(page: Page) -> None:
    visit(page, "/?min_z=0")
    page.route("**/v1/search?*", lambda route: route.abort())
    page.get_by_label(SEARCH).fill("red")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("does not answer")
    page.unroute("**/v1/search?*")
    alert.get_by_role("button", name="Try again").click()
    expect_hits(page, hits(page, q="red"))
    expect(alert).to_have_count(0)


def test_a_late_answer_does_not_replace_a_later_query(page: Page) -> None:
    visit(page, "/?min_z=0")

    def delay(route: object) -> None:
        page.wait_for_timeout(600)
        route.continue_()  # type: ignore[attr-defined]

    page.route("**/v1/search?q=red*", delay)
    box = page.get_by_label(SEARCH)
    box.fill("red")
    page.wait_for_timeout(250)
    box.fill("green")
    page.wait_for_timeout(900)
    expect_hits(page, hits(page, q="green"))
    assert query_of(page) == "green"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_theme_stays(context: BrowserContext, theme: str) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme="light" if theme == "dark" else "dark")
    visit(page)
    page.get_by_role("button", name="Switch between dark and light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 16, 17)"
    assert dark == (theme == "dark")


def test_no_earlier_results_stand_under_an_error(page: Page) -> None:
    visit(page, "/?q=red&min_z=0")
    found = hits(page, q="red")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Near: latitude, longitude, km").fill("north")
    expect(page.get_by_role("alert")).to_contain_text("north")
    expect(page.locator(".grid > .tile")).to_have_count(0)
    expect(page.locator("#status")).to_have_text("")
    expect(page.locator("#end")).to_have_text("")
    page.go_back()
    expect_hits(page, found)
    expect(page.get_by_role("alert")).to_have_count(0)
    page.go_forward()
    expect(page.get_by_role("alert")).to_contain_text("north")
    page.get_by_label("Near: latitude, longitude, km").fill("")
    expect_hits(page, found)
