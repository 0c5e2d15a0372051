"""`clipsearch similar`."""

from dataclasses import replace
from typing import Any

import click

from clipsearch.cli import options
from clipsearch.cli.output import Output, output
from clipsearch.cli.query_images import allow_private as allow_private_option
from clipsearch.cli.query_images import as_files, image_term
from clipsearch.cli.search import Target, search_and_show
from clipsearch.consistency import Consistency
from clipsearch.errors import UsageError
from clipsearch.models.runtime import Runtime
from clipsearch.query import Query
from clipsearch.query.query import TextnessScale


def _refuse_min_p(_context: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise UsageError(
            "--min-p: p is estimated for texts, not for images; --min-z cuts similar images"
        )


@click.command()
@click.argument("image", metavar="IMAGE")
@options.limit
@click.option("--min-z", type=float, help="Leave out hits with a lower z-score, such as 5.")
@click.option("--min-p", hidden=True, expose_value=False, callback=_refuse_min_p)
@options.says
@options.textness
@options.query_max_pixels
@allow_private_option
@output
@options.consistency
@options.store
@options.runtime
def similar(
    *,
    image: str,
    limit: int,
    min_z: float | None,
    says: str | None,
    textness: TextnessScale | None,
    max_textness: float | None,
    max_pixels: int | None,
    allow_private: bool,
    consistency: Consistency,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    **rest: Any,
) -> None:
    """Find the images most similar to an image.

    IMAGE is a file, a URL, - for standard input, or id:… or the file name of a stored image. The
    image itself and identical copies are left out.

    \b
    clipsearch similar ./sunset.jpg
    """
    output_options = Output(**rest)
    query = Query(
        (image_term(image),),
        limit=limit,
        min_z=min_z,
        exclude_images=True,
        textness=textness,
        max_textness=max_textness,
        max_pixels=max_pixels,
        says=says,
    )
    with as_files(query.terms, allow_private=allow_private) as terms:
        search_and_show(
            replace(query, terms=terms),
            output_options,
            title=f"similar to {image}",
            target=Target(uri, token, collection, runtime, consistency),
        )
