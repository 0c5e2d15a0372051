"""What the tests of the page do and look at again and again."""

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page

SEARCH = "Search images"


def visit(page: Page, address: str = "/") -> None:
    """Open the search page and wait until its results are drawn."""
    page.goto(address)
    page.wait_for_selector(".grid.ready", state="attached")


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
    """The hits that the API has for the same parameters; on the page, a cut of 0 is none."""
    values = {name: str(value) for name, value in parameters.items()}
    if values.get("min_z") == "0":
        del values["min_z"]
    response = page.request.get("/v1/search", params={"limit": "60", **values})
    assert response.ok, response.text()
    found: list[dict[str, Any]] = response.json()["hits"]
    return found


def expect_hits(page: Page, expected: Sequence[dict[str, Any]]) -> None:
    """Wait until the page shows these hits, in this order."""
    ids = [hit["id"] for hit in expected]
    assert ids
    deadline = time.monotonic() + 5
    while not (found := shown(page)) or found != ids[: len(found)]:
        assert time.monotonic() < deadline, (found, ids)
        page.wait_for_timeout(50)


def query_of(page: Page) -> str:
    """The query in the address of the page."""
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0]


def focused_id(page: Page) -> str | None:
    """The id of the image that has the focus."""
    found: str | None = page.evaluate("document.activeElement.closest('.tile')?.dataset.id ?? null")
    return found
