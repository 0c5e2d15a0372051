"""`clipsearch textness`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options, output
from clipsearch.cli.query import filters
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

FOLDER = click.Path(path_type=Path)
SCALES = (-2.0, -1.0, 0.0, 1.0, 2.0)
NOTES = ("much less text", "less text", "as it is", "more text", "much more text")


@click.group(invoke_without_command=True)
@click.pass_context
def textness(context: click.Context) -> None:
    """Keep pictures of a word apart from pictures of the thing.

    Models rank a picture that shows the word "apple" above one of an apple. `query apple --textness
    -1` asks for less text, 1 for more; the first such query prepares what it needs.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@textness.command()
@click.option(
    "--with-text", multiple=True, type=FOLDER, metavar="DIR", help="Pictures with text. Repeatable."
)
@click.option("--without-text", multiple=True, type=FOLDER, metavar="DIR", help="Pictures without.")
@click.option(
    "--of-each",
    "per_class",
    type=click.IntRange(min=MIN_IMAGES),
    metavar="N",
    help=f"By itself: pictures with text, and without.  [default: {IMAGES_PER_CLASS}]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Another random sample.")
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
    """Learn what text looks like to the model, and keep it.

    By itself: words are drawn onto a sample of the collection's own pictures, more of which make it
    a little better. Or from your pictures, 100 or more of each kind. Done once for all users and
    collections of that model.

    \b
    clipsearch textness fit --of-each 500
    clipsearch textness fit --with-text ~/Screenshots --without-text ~/Holidays
    """
    kinds = [_images(with_text), _images(without_text)]
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        probe = index.textness.fit(*kinds, per_class=per_class, seed=seed)
    _tell(probe, {}, as_json=as_json)


@textness.command()
@options.as_json
@options.store
@options.runtime
def show(*, as_json: bool, uri: str, token: str | None, collection: str, runtime: Runtime) -> None:
    """Say how well it was learnt, when and from what."""
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        found = index.textness
        probe = found.find()
        if probe is None:
            raise UsageError(
                f"nothing is known of text for {found.collection.info.model.name} yet: "
                "`clipsearch textness fit` learns it, or the first query with --textness"
            )
        _tell(probe, found.cosines(), as_json=as_json)


@textness.command()
@options.limit
@click.option(
    "--offset", type=click.IntRange(min=0), default=0, help="Skip that many: the next page."
)
@click.option(
    "--min-textness", type=float, default=0.0, metavar="0..1", help="Only with as much text."
)
@filters
@output.output
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
    """List the pictures that show most text.

    Screenshots, receipts, memes, signs: whatever the collection has.

    \b
    clipsearch textness rank -n 50 --sheet text.html
    clipsearch textness rank -n 1000 --min-textness 0.9 --paths
    """
    wanted = output.Output(**{name: rest.pop(name) for name in output.Output.__slots__})
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        hits = index.rank_by_text(
            limit=limit, offset=offset, filters=Filters(**rest), min_textness=min_textness
        )
    output.show(hits, wanted, title="most text first", images=(), start=offset + 1)


@textness.command()
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True,
    metavar="FILE", help="The figure: .png, .jpg, .webp or .html.",
)  # fmt: skip
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 50),
    default=10,
    show_default=True,
    help="Pictures a row.",
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
    """Draw what a query finds at five scales, a row each.

    \b
    clipsearch textness grid cat -o cat.png
    """
    require_suffix(output)  # before anything is searched, or even fitted
    terms = parse(words)
    queries = [Query(terms, limit=limit, textness=scale) for scale in SCALES]
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        found = index.search_many(queries)
        of_all = f"{len(index):,} pictures, model {index.collection.info.model.name}"
    rows = [
        Row(f"{scale:+g}".replace("+0", "0").replace("-", "−"), note, hits)
        for scale, note, hits in zip(SCALES, NOTES, found, strict=True)
    ]
    about = f"the best {limit} of {of_all}; framed: shows text"
    write_grid(output, " ".join(words), about, rows)
    click.echo(f"figure: {escape_control(str(output))}", err=True)


def _images(folders: Sequence[Path]) -> list[Path]:
    images = [item.path for item in FileSource(folders) if isinstance(item, ImageFile)]
    if folders and not images:
        raise UsageError(f"no pictures in {', '.join(map(str, folders))}")
    return images


def _tell(probe: TextnessProbe, cosines: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        values = probe.as_json()
        del values["bias"], values["version"]
        click.echo(json.dumps(values | ({"cosines": cosines} if cosines else {})))
        return
    lines = [
        f"model         {probe.model.name}, {probe.model.dim} dimensions",
        f"fitted        {probe.created_at}",
        f"from          {probe.with_text:,} pictures with text, {probe.without_text:,} without",
        f"accuracy      {probe.accuracy:.3f} on pictures held out",
        f"AUC           {probe.auc:.3f}",
    ]
    if cosines:
        lines.append("near to")
        lines += [f"  {cosine:+.3f}      {text}" for text, cosine in cosines.items()]
    click.echo("\n".join(map(escape_control, lines)))
