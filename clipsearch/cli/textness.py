"""`clipsearch textness`: rank, grid, and the commands of its fit."""

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options
from clipsearch.cli.existing import existing_hits
from clipsearch.cli.filter_options import filters
from clipsearch.cli.messages import note
from clipsearch.cli.output import Output, output
from clipsearch.cli.output import show as show_hits
from clipsearch.cli.textness_fit import fit, reset, show
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters, Query, parse
from clipsearch.render.output_file import require_suffix
from clipsearch.render.textness_grid import Row, write_grid

SCALES = (-2.0, -1.0, 0.0, 1.0, 2.0)
NOTES = ("much less text", "less text", "unchanged", "more text", "much more text")


@click.group()
def textness() -> None:
    """Measure how much text images show, and adjust queries by it.

    Models rank an image that shows the word "apple" above an image of an apple. `query apple
    --textness -1` prefers images with less text, 1 with more. The first such query fits a textness
    probe, which all collections of the model in the store share; one for pocket is part of
    clipsearch.
    """


for command in (fit, show, reset):
    textness.add_command(command)


@textness.command()
@options.limit
@options.offset
@click.option(
    "--min-textness",
    type=float,
    default=0.0,
    metavar="0..1",
    help="Leave out images that show less text than this.",
)
@filters
@output
@options.store
@options.runtime
def rank(
    *,
    limit: int,
    offset: int,
    min_textness: float,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    **rest: Any,
) -> None:
    """List the images that show the most text first.

    These are screenshots, receipts, memes and signs.

    \b
    clipsearch textness rank -n 50 --sheet text.html
    clipsearch textness rank -n 1000 --min-textness 0.9 --paths
    """
    output_options = Output(**{field.name: rest.pop(field.name) for field in fields(Output)})
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        rank_by_text = partial(
            index.rank_by_text, filters=Filters(**rest), min_textness=min_textness
        )
        if output_options.existing:
            hits = existing_hits(
                lambda count: rank_by_text(limit=count), limit=limit, offset=offset
            )
        else:
            hits = rank_by_text(limit=limit, offset=offset)
    show_hits(hits, output_options, title="most text first", images=(), start=offset + 1)


@textness.command()
@click.argument("words", nargs=-1, required=True, metavar="TERMS...")
@options.output_file("The figure to write: .png, .jpg, .webp or .html.", required=True)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 50),
    default=10,
    show_default=True,
    metavar="N",
    help="Maximum number of hits per row.",
)
@options.store
@options.runtime
def grid(
    *,
    words: tuple[str, ...],
    output: Path,
    limit: int,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> None:
    """Draw the hits of a query at five scales of textness, one row each.

    \b
    clipsearch textness grid cat -o cat.png
    """
    require_suffix(output)  # check before the search, which may fit a probe
    terms = parse(words)
    queries = [Query(terms, limit=limit, textness=scale) for scale in SCALES]
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        hits_of_scales = index.search_many(queries)
        source = f"{len(index):,} images, model {index.collection.info.model.name}"
    rows = [
        Row(f"{scale:+g}".replace("+0", "0").replace("-", "−"), note, hits)
        for scale, note, hits in zip(SCALES, NOTES, hits_of_scales, strict=True)
    ]
    subtitle = f"the best {limit} of {source}; framed: shows text"
    write_grid(output, " ".join(words), subtitle, rows)
    note(f"figure: {output}")
