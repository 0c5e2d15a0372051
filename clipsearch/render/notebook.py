"""Results in a notebook: a grid of thumbnails."""

from collections.abc import Sequence

from clipsearch.render.html import GRID_CSS, grid
from clipsearch.render.section import Section
from clipsearch.types import Hit

MOST = 60
"""So many hits are shown as pictures: a notebook keeps all of them in its file."""


def html(hits: Sequence[Hit]) -> str:
    """An HTML fragment for `_repr_html_`: thumbnails with rank, scores and file name.

    Without links, because browsers do not open files from a notebook's page; the full path shows
    on hover. Only the first `MOST` hits are drawn; a last line counts the others.
    """
    more = len(hits) - MOST
    rest = f"<p>… and {more} more</p>\n" if more > 0 else ""
    section = Section("", hits[:MOST])
    return f"<div>\n<style>\n{GRID_CSS}</style>\n{grid(section, side=256, links=False)}{rest}</div>"
