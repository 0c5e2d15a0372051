"""Results as a self-contained HTML page, and the figures of its grid of thumbnails."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from clipsearch.escape import escape_control
from clipsearch.images.thumbnails import thumbnails
from clipsearch.render.html_template import render_template
from clipsearch.render.result_section import Section, Tile

THUMBNAIL_SIDE = (
    440  # pixels: twice the CSS size, for displays with two device pixels per CSS pixel
)


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """An image as a data URI, with its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Figure:
    """What the template `grid.html` shows of a tile; `error` says why there is no image."""

    tile: Tile
    path: str
    link: str
    description: str
    image: EmbeddedImage | None
    error: str


def render_page(sections: Sequence[Section], *, columns: int | None = None) -> str:
    """A complete HTML document with embedded images, each linked to its original file.

    `columns` images stand in a row, however narrow the window is; by default as many as fit.
    """
    titles = [escape_control(section.title) for section in sections]
    return render_template(
        "results.html",
        title=" · ".join(titles) or "Results",
        sections=[
            (title, figures(section)) for title, section in zip(titles, sections, strict=True)
        ],
        links=True,
        columns=columns,
    )


def figures(section: Section, *, side: int = THUMBNAIL_SIDE) -> list[Figure]:
    """The figures of a section's tiles, their images within `side` by `side` pixels."""
    tiles = section.tiles()
    images = thumbnails([tile.path for tile in tiles], (side, side))
    return [_figure(tile, image) for tile, image in zip(tiles, images, strict=True)]


def _figure(tile: Tile, thumbnail: Image.Image | str) -> Figure:
    error = escape_control(thumbnail) if isinstance(thumbnail, str) else ""
    kind = "query image" if tile.is_query else f"result {tile.label}"
    return Figure(
        tile,
        path=escape_control(str(tile.path)),
        link=tile.path.absolute().as_uri(),
        description=f"{kind}: {tile.name}",
        image=None if isinstance(thumbnail, str) else _embed(thumbnail),
        error=error,
    )


def _embed(image: Image.Image) -> EmbeddedImage:
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", quality=82, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return EmbeddedImage(f"data:image/jpeg;base64,{data}", image.width, image.height)
