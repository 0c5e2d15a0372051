"""`clipsearch similar`."""

from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options, output
from clipsearch.daemon.process import start_unless_off
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query.parser import as_image
from clipsearch.textness.steering import TextnessScale


@click.command()
@click.argument("image", metavar="IMAGE")
@options.limit
@options.textness
@output.output
@options.store
@options.runtime
def similar(
    *,
    image: str,
    limit: int,
    textness: TextnessScale | None,
    max_textness: float | None,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    **rest: Any,
) -> None:
    """Find the pictures most like one.

    IMAGE is a file, or id:… of the collection; it and its identical copies are left out.

    \b
    clipsearch similar ./sunset.jpg
    """
    wanted = output.Output(**rest)
    wish = as_image(image)
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        hits = index.similar(wish, limit=limit, textness=textness, max_textness=max_textness)
    shown = [wish] if isinstance(wish, Path) else []
    output.show(hits, wanted, title=f"similar to {image}", images=shown, start=1)
    start_unless_off(uri, token, collection, runtime)
