"""Results as HTML: a page that needs no other file, and the grid that notebooks show."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

from clipsearch.escape import escape_control
from clipsearch.images.thumbnails import thumbnails
from clipsearch.render.section import Cell, Section, cells

# Every colour of the grid comes from the text around it, so it fits light and dark pages alike.
GRID_CSS = """\
.clipsearch-grid { display: grid; gap: 1.25rem 1rem; margin: 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(13rem, 40vw), 1fr)); }
.clipsearch-grid figure { margin: 0; min-width: 0; }
.clipsearch-grid .tile { display: flex; align-items: center; justify-content: center;
  aspect-ratio: 1; border-radius: 6px; overflow: hidden; text-decoration: none; color: inherit;
  background: color-mix(in srgb, currentColor 6%, transparent); }
.clipsearch-grid .tile img { display: block; max-width: 100%; max-height: 100%; width: 100%;
  height: 100%; object-fit: contain; margin: 0; }
.clipsearch-grid .tile span { padding: 1rem; text-align: center; opacity: .7; font-size: .8rem;
  overflow-wrap: anywhere; }
.clipsearch-grid .query .tile { outline: 3px solid #3b82f6; outline-offset: 2px; }
.clipsearch-grid figcaption { display: flex; flex-wrap: wrap; justify-content: space-between;
  gap: 0 .5rem; margin-top: .45rem; font-size: .8rem; line-height: 1.45;
  font-variant-numeric: tabular-nums; }
.clipsearch-grid .score { opacity: .65; white-space: pre; }
.clipsearch-grid .name { flex: 0 0 100%; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.clipsearch-grid .query .label { color: #3b82f6; font-weight: 600; }
"""
_PAGE_CSS = """\
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1c1e; --rule: #e3e3e1; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #18181b; --ink: #ececee; --rule: #333338; } }
body { margin: 0 auto; max-width: 90rem; padding: 2rem clamp(1rem, 4vw, 3rem) 3rem;
  background: var(--paper); color: var(--ink);
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
section + section { margin-top: 2.5rem; padding-top: 2rem; border-top: 1px solid var(--rule); }
h1 { margin: 0 0 1.1rem; font-size: 1.4rem; font-weight: 600; line-height: 1.3;
  overflow-wrap: anywhere; }
a.tile:hover, a.tile:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
@media print { section { break-inside: auto; } figure { break-inside: avoid; } }
"""
_SIDE = 440  # pixels: twice the size on screen, for displays with two device pixels a CSS pixel


def page(sections: Sequence[Section]) -> str:
    """A whole HTML document with the pictures inside; each links to its original file."""
    title = escape_control(" · ".join(section.title for section in sections)) or "Results"
    body = "".join(
        f'<section>\n<h1 dir="auto">{escape(escape_control(section.title))}</h1>\n{grid(section)}</section>\n'
        for section in sections
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_PAGE_CSS}{GRID_CSS}</style>\n</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )


def grid(section: Section, *, side: int = _SIDE, links: bool = True) -> str:
    """The pictures of `section` as one HTML list, at most `side` pixels wide and high each.

    With `links` each picture leads to its file. Needs `GRID_CSS` on the page.
    """
    shown = cells(section)
    if not shown:
        return '<p style="opacity: .65">no results</p>\n'
    pictures = thumbnails([one.path for one in shown], (side, side))
    figures = (_figure(one, image, links=links) for one, image in zip(shown, pictures, strict=True))
    return f'<div class="clipsearch-grid">\n{"".join(figures)}</div>\n'


def _figure(one: Cell, image: Image.Image | str, *, links: bool) -> str:
    name = escape(one.name)
    about = f"query picture: {name}" if one.is_query else f"result {one.label}: {name}"
    if isinstance(image, str):
        inside = f"<span>{escape(escape_control(image))}</span>"
    else:
        inside = (
            f'<img src="{_data_uri(image)}" alt="{about}" loading="lazy"'
            f' width="{image.width}" height="{image.height}">'
        )
    hover = escape(escape_control(str(one.path)))
    if links:
        tile = f'<a class="tile" href="{escape(_file_uri(one.path))}" title="{hover}">{inside}</a>'
    else:
        tile = f'<div class="tile" title="{hover}">{inside}</div>'
    return (
        f'<figure class="{"query" if one.is_query else "hit"}">{tile}<figcaption>'
        f'<span class="label">{one.label}</span><span class="score">{one.scores}</span>'
        f'<span class="name" dir="auto" title="{hover}">{name}</span></figcaption></figure>\n'
    )


def _data_uri(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "jpeg", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _file_uri(path: Path) -> str:
    return path.absolute().as_uri()
