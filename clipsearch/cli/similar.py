"""`clipsearch similar`."""

from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options, results
from clipsearch.index import Index
from clipsearch.query.terms import as_picture
from clipsearch.query.textness import Scale
from clipsearch.warm.start import start_unless_off


@click.command()
@click.argument("picture", metavar="PICTURE")
@options.limit
@options.textness
@results.output
@options.store
@options.device
def similar(
    *,
    picture: str,
    limit: int,
    textness: Scale | None,
    max_textness: float | None,
    uri: str,
    token: str | None,
    collection: str,
    device: str,
    **rest: Any,
) -> None:
    """Find the pictures most like one.

    PICTURE is a file, or id:… of the collection; it and its identical copies are left out.

    \b
    clipsearch similar ./sunset.jpg
    """
    wanted = results.Output(**rest)
    wish = as_picture(picture)
    with Index.open(uri, collection=collection, device=device, token=token, create=False) as index:
        hits = index.similar(wish, limit=limit, textness=textness, max_textness=max_textness)
    shown = [wish] if isinstance(wish, Path) else []
    results.show(hits, wanted, title=f"similar to {picture}", pictures=shown, start=1)
    start_unless_off(uri, token, collection, device=device)
