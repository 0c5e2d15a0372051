"""`clipsearch textness`: fit, show, rank and grid."""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options
from clipsearch.cli.filter_options import filters
from clipsearch.cli.output import Output, output
from clipsearch.cli.output import show as show_hits
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters, Query, parse
from clipsearch.render.output_file import require_suffix
from clipsearch.render.textness_grid import Row, write_grid
from clipsearch.textness import TextnessProbe
from clipsearch.textness.fit import MIN_IMAGES
from clipsearch.textness.self_supervised import IMAGES_PER_CLASS

SCALES = (-2.0, -1.0, 0.0, 1.0, 2.0)
NOTES = ("much less text", "less text", "unchanged", "more text", "much more text")


@click.group()
def textness() -> None:
    """Measure how much text images show, and adjust queries by it.

    Models rank an image that shows the word "apple" above an image of an apple. `query apple
    --textness -1` prefers images with less text, 1 with more. The first such query fits a textness
    probe.
    """


@textness.command()
@click.option(
    "--with-text",
    multiple=True,
    type=options.FOLDER,
    metavar="DIR",
    help="Folder of images with text. Repeatable.",
)
@click.option(
    "--without-text",
    multiple=True,
    type=options.FOLDER,
    metavar="DIR",
    help="Folder of images without text. Repeatable.",
)
@click.option(
    "--per-class",
    type=click.IntRange(min=MIN_IMAGES),
    metavar="N",
    help=f"Number of images with text, and without, to sample.  [default: {IMAGES_PER_CLASS}]",
)
@options.seed
@options.as_json
@options.store
@options.runtime
def fit(
    *,
    with_text: tuple[Path, ...],
    without_text: tuple[Path, ...],
    per_class: int | None,
    seed: int,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> None:
    """Fit the textness probe of a model, and store it.

    By default words are drawn onto a sample of the images of the collection; a larger sample
    improves the probe slightly. With --with-text and --without-text it is fitted on your images,
    100 or more of each. All users and collections of the model share the stored probe.

    \b
    clipsearch textness fit --per-class 500
    clipsearch textness fit --with-text ~/Screenshots --without-text ~/Vacation
    """
    examples = [_image_files(with_text), _image_files(without_text)]
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        probe = index.textness.fit(*examples, per_class=per_class, seed=seed)
    _show_probe(probe, {}, as_json=as_json)


@textness.command()
@options.as_json
@options.store
@options.runtime
def show(*, as_json: bool, uri: str, token: str | None, collection: str, runtime: Runtime) -> None:
    """Show the accuracy, date and training data of the stored textness probe."""
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        stored = index.textness
        probe = stored.find()
        if probe is None:
            raise UsageError(
                f"no textness probe for {stored.collection.info.model.name}: run "
                "`clipsearch textness fit`, or a query with --textness"
            )
        _show_probe(probe, stored.cosines(), as_json=as_json)


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
        hits = index.rank_by_text(
            limit=limit, offset=offset, filters=Filters(**rest), min_textness=min_textness
        )
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
    click.echo(f"figure: {escape_control(str(output))}", err=True)


def _image_files(folders: Sequence[Path]) -> list[Path]:
    """Return the image files in some folders; raise UsageError if there are folders without any."""
    images = [file.path for file in FileSource(folders) if isinstance(file, ImageFile)]
    if folders and not images:
        raise UsageError(f"no images in {', '.join(map(str, folders))}")
    return images


def _show_probe(probe: TextnessProbe, cosines: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        values = probe.as_json()
        del values["bias"], values["version"]
        click.echo(json.dumps(values | ({"cosines": cosines} if cosines else {})))
        return
    lines = [
        f"model         {probe.model.name}, {probe.model.dim} dimensions",
        f"fitted        {probe.created_at}",
        f"on            {probe.with_text:,} images with text, {probe.without_text:,} without",
        f"accuracy      {probe.accuracy:.3f} on held-out images",
        f"AUC           {probe.auc:.3f}",
    ]
    if cosines:
        lines.append("similar texts")
        lines += [f"  {cosine:+.3f}      {text}" for text, cosine in cosines.items()]
    click.echo("\n".join(map(escape_control, lines)))
