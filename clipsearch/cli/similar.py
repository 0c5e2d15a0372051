"""`clipsearch similar`."""

from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options, results
from clipsearch.index import Index
from clipsearch.query.terms import as_picture


@click.command()
@click.argument("picture", metavar="PICTURE")
@options.limit
@results.output
@options.store
@options.device
def similar(
    *,
    picture: str,
    limit: int,
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
        hits = index.similar(wish, limit=limit)
    shown = [wish] if isinstance(wish, Path) else []
    results.show(hits, wanted, title=f"similar to {picture}", pictures=shown, start=1)
