"""What the templates show of images: names, dates, sizes and links as texts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from clipsearch.escape import escape_control
from clipsearch.remote_path import locate
from clipsearch.web.path_text import to_path_text

SHORTCUTS = (
    (("/", "Ctrl K"), "go to the search box"),
    (("\u2190", "\u2191", "\u2192", "\u2193"), "move between images"),
    (("Enter",), "open the image; in the search box, make a chip of the words"),
    (("Esc",), "close the image, or clear the selection"),
    (("x",), "select the image; Shift and a click select all up to it"),
    (("Ctrl A",), "select all images that are shown"),
    (("s",), "similar images"),
    (("+", "\u2212"), "more of this image, less of this image"),
    (("i",), "details of the image; in the grid, dates and scores"),
    (("z",), "zoom, in an open image"),
    (("?",), "this list"),
)
"""The keys of the page and what they do, as `static/js/keys.js` handles them."""


BYTE_STEPS = {
    "100000": "100 kB",
    "1000000": "1 MB",
    "5000000": "5 MB",
    "20000000": "20 MB",
    "100000000": "100 MB",
}
"""File sizes to choose from."""


def tile_values(hit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tile shows of a hit or an image."""
    z, score = hit.get("z"), hit.get("score")
    p = hit.get("p")
    if p is not None:
        strength = f"p {p:.2f}"
    else:
        strength = f"z {z:.1f}" if z is not None else f"{score:.2f}" if score is not None else ""
    return {
        "id": hit["id"],
        "name": escape_control(locate(hit["path"]).name),
        "width": hit["width"],
        "height": hit["height"],
        "date": "" if hit["taken_at"] is None else short_date(hit["taken_at"]),
        "strength": strength,
    }


def image_values(image: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page of an image shows beside `image_facts`."""
    path = locate(image["path"])
    return tile_values(image) | {
        "path": escape_control(str(path)),
        "folder": escape_control(str(path.parent)),
        "missing": image["missing"],
    }


def folder_link(path: str) -> str:
    """Return the address of all images of a folder."""
    return link_to(under=to_path_text(path))


def image_facts(image: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, value and link (or "") of what is known about an image."""
    facts = []
    if image["taken_at"] is not None:
        moment = datetime.fromisoformat(image["taken_at"])
        source = " (from the name)" if image["taken_from"] == "name" else ""
        facts.append(("Taken", f"{moment:%a} {_day(moment)}, {moment:%H:%M}{source}", ""))
    if image["camera"]:
        facts.append(("Camera", escape_control(image["camera"]), link_to(camera=image["camera"])))
    megapixels = image["width"] * image["height"] / 1e6
    size = f" \u00b7 {megapixels:.1f} MP" if megapixels >= 0.95 else ""
    facts.append(("Size", f"{image['width']} \u00d7 {image['height']}{size}", ""))
    kind = escape_control(image["format"]).upper()
    facts.append(("File", f"{kind} \u00b7 {format_bytes(image['size'])}", ""))
    facts += [("Tag", escape_control(tag), link_to(tag=tag)) for tag in image["tags"]]
    if image["latitude"] is not None:
        place = f"{image['latitude']},{image['longitude']}"
        label = f"{image['latitude']:.4f}, {image['longitude']:.4f}"
        facts.append(("Place", label, link_to(near=f"{place},2")))
    facts.append(("Id", image["id"], ""))
    return facts


def link_to(**parameters: str) -> str:
    """Return the address of a search."""
    return f"/?{urlencode(parameters)}"


def short_date(taken_at: str) -> str:
    """Return the day of an ISO time."""
    return _day(datetime.fromisoformat(taken_at))


def format_bytes(size: int) -> str:
    """Return a file size in decimal units."""
    if size < 1000:
        return f"{size} bytes"
    value, units = size / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    return f"{value:.1f} {units[0]}" if value < 9.95 else f"{value:.0f} {units[0]}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b} {moment.year}"
