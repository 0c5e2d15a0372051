"""`clipsearch query`."""

from dataclasses import fields, replace
from typing import Any

import click

from clipsearch.cli import options
from clipsearch.cli.filter_options import filters
from clipsearch.cli.output import Output, output
from clipsearch.cli.query_images import allow_private as allow_private_option
from clipsearch.cli.query_images import as_files, image_term, note_texts
from clipsearch.cli.search import Target, search_and_show
from clipsearch.consistency import Consistency
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters, Query, parse
from clipsearch.query.query import TextnessScale


@click.command()
@click.argument("words", nargs=-1, metavar="[TERMS]...")
@click.option(
    "-i",
    "--image",
    "images",
    multiple=True,
    metavar="IMAGE",
    help="Add an image query: a file, a URL, - for standard input, or id:… or the file name of a "
    "stored image. 2:IMAGE sets its weight. Repeatable.",
)
@options.limit
@options.offset
@click.option("--min-score", type=float, help="Leave out hits with a lower cosine similarity.")
@options.min_z
@options.says
@options.min_p
@options.textness
@options.query_max_pixels
@allow_private_option
@click.option("--no-self", is_flag=True, help="Leave out the query images themselves.")
@filters
@output
@options.consistency
@options.store
@options.runtime
def query(
    *,
    words: tuple[str, ...],
    images: tuple[str, ...],
    limit: int,
    offset: int,
    min_score: float | None,
    min_z: float | None,
    says: str | None,
    min_p: float | None,
    textness: TextnessScale | None,
    max_textness: float | None,
    max_pixels: int | None,
    allow_private: bool,
    no_self: bool,
    consistency: Consistency,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    **rest: Any,
) -> None:
    """Find images by text, by image, or by both.

    A standalone + adds the next term; a standalone - subtracts it. 2:TERM sets the weight of a
    term. A path of an image file, the file name of a stored image and a URL are image queries;
    everything else is a text query. Write -- before a text that begins with a hyphen. The z-score
    of a hit counts the standard deviations of its score above the typical score of the collection;
    it is comparable between models. For texts of a calibrated model, such as pocket, p is the
    estimated probability that the image is relevant.

    \b
    clipsearch query "bird on a wire"
    clipsearch query "a horse" -n 100 --min-p 0.25
    clipsearch query house + ./lake.jpg - people
    clipsearch query apple --textness -1
    clipsearch query 2:dog + beach --image ./sunset.jpg -n 20 --sheet dogs.html
    clipsearch query receipt --says ikea
    clipsearch query --says '"RE16 TGK"'
    """
    output_options = Output(**{field.name: rest.pop(field.name) for field in fields(Output)})
    terms = parse(words) + tuple(image_term(image) for image in images)
    note_texts(terms)
    search_query = Query(
        terms,
        limit=limit,
        offset=offset,
        filters=Filters(**rest),
        min_score=min_score,
        min_z=min_z,
        min_p=min_p,
        exclude_images=no_self,
        textness=textness,
        max_textness=max_textness,
        max_pixels=max_pixels,
        says=says,
    )
    with as_files(terms, allow_private=allow_private) as located:
        search_and_show(
            replace(search_query, terms=located),
            output_options,
            title=" ".join(words) or " + ".join(images) or f"says {says}",
            target=Target(uri, token, collection, runtime, consistency),
        )
