"""Search results in a notebook: a list that displays as a grid of thumbnails."""

from collections.abc import Sequence
from typing import SupportsIndex, overload

from clipsearch.records import Hit
from clipsearch.render.html_page import figures
from clipsearch.render.html_template import render_template
from clipsearch.render.result_section import Section

MAX_THUMBNAILS = 60
"""The number of hits displayed as images: a notebook stores each of them in its file."""


class Hits(list[Hit]):
    """Search results, best first; a notebook displays them as images."""

    def _repr_html_(self) -> str:
        return notebook_html(self)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Hit: ...
    @overload
    def __getitem__(self, index: slice, /) -> "Hits": ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> "Hit | Hits":
        """Return a hit, or the hits of a slice as `Hits`."""
        item = super().__getitem__(index)
        return item if isinstance(item, Hit) else Hits(item)


def notebook_html(hits: Sequence[Hit]) -> str:
    """An HTML fragment for `_repr_html_`: thumbnails with rank, scores and file name.

    It has no links, because browsers do not open local files from a notebook; the full path appears
    on hover. Only the first `MAX_THUMBNAILS` hits are displayed; a last line counts the others.
    """
    return render_template(
        "notebook.html",
        figures=figures(Section("", hits[:MAX_THUMBNAILS]), side=256),
        hidden=max(0, len(hits) - MAX_THUMBNAILS),
        links=False,
        columns=None,
    )
