"""`clipsearch similar`."""

from typing import Any

import click

from clipsearch.cli import options
from clipsearch.cli.output import Output, output
from clipsearch.cli.search import Target, search_and_show
from clipsearch.models.runtime import Runtime
from clipsearch.query import Query, Term
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
    query = Query(
        (Term(as_image(image)),),
        limit=limit,
        exclude_images=True,
        textness=textness,
        max_textness=max_textness,
    )
    search_and_show(
        query,
        output_options,
        title=f"similar to {image}",
        target=Target(uri, token, collection, runtime),
    )
