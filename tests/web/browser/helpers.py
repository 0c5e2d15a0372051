"""What the tests of the page do and look at again and again."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

SEARCH = "Search images"


def visit(page: Page, address: str = "/") -> None:
    """Open the search page and wait until its results are drawn."""
    page.goto(address)
    page.wait_for_selector(".grid.ready")


def shown(page: Page) -> list[str]:
    """The ids of the images, in order; only those near the window exist."""
    ids: list[str] = page.eval_on_selector_all(
        ".grid > .tile",
        """tiles => tiles
            .map(tile => [Number(tile.getAttribute("aria-posinset")), tile.dataset.id])
            .sort((one, other) => one[0] - other[0])
            .map(pair => pair[1])""",
    )
    return ids


def hits(page: Page, **parameters: object) -> list[dict[str, Any]]:
    """The hits that the API has for the same parameters."""
    values = {name: str(value) for name, value in parameters.items()}
    response = page.request.get("/v1/search", params={"limit": "60", **values})
    assert response.ok, response.text()
    found: list[dict[str, Any]] = response.json()["hits"]
    return found


def expect_hits(page: Page, expected: Sequence[dict[str, Any]]) -> None:
    """Wait until the page shows these hits, in this order."""
    ids = [hit["id"] for hit in expected]
    assert ids
    tile = page.locator(f'.grid > .tile[data-id="{ids[0]}"][aria-posinset="1"]')
    expect(tile).to_be_visible()
    found = shown(page)
    assert found == ids[: len(found)]


def query_of(page: Page) -> str:
    """The query in the address of the page."""
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0]


def focused_id(page: Page) -> str | None:
    """The id of the image that has the focus."""
    return page.evaluate("document.activeElement.closest('.tile')?.dataset.id ?? null")
