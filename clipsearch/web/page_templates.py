"""The Jinja2 templates of the page, in the folder `templates`."""

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from clipsearch.web.static_files import static_base

THEMES = ("dark", "light")

STYLES = (
    *("base", "button", "dialog", "message", "search", "filters", "toolbar", "grid", "tile"),
    *("plain", "lightbox", "details", "explanation", "pages"),
)
"""The style sheets of all pages, in their order."""


def html_response(
    name: str, request: Request, values: dict[str, Any], *, status: int = 200
) -> HTMLResponse:
    """Render a template; all values are escaped."""
    theme = request.cookies.get("theme", "")
    common: dict[str, Any] = {
        "static": static_base(),
        "styles": STYLES,
        "theme": theme if theme in THEMES else "",
        "here": "",
        "text": "",
        "query": "",
    }
    html = _environment().get_template(name).render(common | values)
    # Paths may hold bytes that are not Unicode; templates show them escaped, links cannot.
    content = html.encode("utf-8", "replace")
    return HTMLResponse(content, status, {"Cache-Control": "no-cache"})


def json_in_html(values: object) -> Markup:
    """Return JSON that no HTML parser takes for a tag, for a script element that holds data."""
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("clipsearch.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
