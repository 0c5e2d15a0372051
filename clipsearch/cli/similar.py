"""`clipsearch similar`."""

from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options
from clipsearch.cli.output import Output, output, show
from clipsearch.daemon.process import start_if_enabled
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query.parser import as_image
from clipsearch.query.query import TextnessScale


@click.command()
@click.argument("image", metavar="IMAGE")
@options.limit
@options.textness
@output
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
    """Find the images most similar to an image.

    IMAGE is a file, or id:… for a stored image. The image itself and identical copies are left out.

    \b
    clipsearch similar ./sunset.jpg
    """
    output_options = Output(**rest)
    query_image = as_image(image)
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        hits = index.similar(query_image, limit=limit, textness=textness, max_textness=max_textness)
    files = [query_image] if isinstance(query_image, Path) else []
    show(hits, output_options, title=f"similar to {image}", images=files, start=1)
    start_if_enabled(uri, token, collection, runtime)
