"""`clipsearch query`."""

from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options, output
from clipsearch.cli.param_types import size
from clipsearch.daemon.process import start_unless_off
from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user, is_folder
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters, Query, Term, parse
from clipsearch.query.parser import as_image, split_weight
from clipsearch.textness.steering import TextnessScale

FILTERS = (
    click.option("--under", type=click.Path(path_type=Path), metavar="DIR", help="Only in that folder."),
    click.option("--glob", metavar="PATTERN", help="Only such names, or paths if it has a slash."),
    click.option("--after", "taken_from", type=click.DateTime(), metavar="DATE", help="Taken then or later."),
    click.option("--before", "taken_before", type=click.DateTime(), metavar="DATE", help="Taken before then."),
    click.option("--type", "formats", multiple=True, metavar="FORMAT", help="jpeg, heic, … Repeatable."),
    click.option("--tag", "tags", multiple=True, metavar="LABEL", help="Only so labelled by `clipsearch tag`. Repeatable."),
    click.option("--min-width", type=click.IntRange(min=1), metavar="PIXELS"),
    click.option("--min-height", type=click.IntRange(min=1), metavar="PIXELS"),
    click.option("--min-bytes", type=size, metavar="SIZE", help="Of the file, such as 500kB."),
    click.option("--max-bytes", type=size, metavar="SIZE"),
    click.option("--filter", "expression", default="", metavar="EXPR", help="A Milvus filter expression."),
)  # fmt: skip


def filters(command: Any) -> Any:
    """The options that fill a `Filters`."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.command()
@click.argument("words", nargs=-1, metavar="[WORDS]...")
@click.option(
    "-i", "--image", "images", multiple=True, metavar="PATH",
    help="Add a picture: a file, or id:… of the collection. 2:PATH weighs it. Repeatable.",
)  # fmt: skip
@options.limit
@click.option(
    "--offset", type=click.IntRange(min=0), default=0, help="Skip that many: the next page."
)
@click.option("--min-score", type=float, help="Leave out hits with a lower cosine.")
@click.option(
    "--min-z", type=float, help="Leave out hits that stand out less; 4 suits most models, 3 pocket."
)
@options.textness
@click.option("--no-self", is_flag=True, help="Leave out the query's own pictures.")
@filters
@output.output
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
    textness: TextnessScale | None,
    max_textness: float | None,
    no_self: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    **rest: Any,
) -> None:
    """Find pictures by text, by picture, or by both.

    Terms are added with + and taken away with -, standing alone; 2:TERM weighs one. A path is a
    picture, all else is text. z says how far a hit stands out from the collection, in standard
    deviations, whatever the model.

    \b
    clipsearch query "bird on a wire"
    clipsearch query house + ./lake.jpg - people
    clipsearch query apple --textness -1
    clipsearch query 2:dog + beach --image ./sunset.jpg -n 20 --sheet dogs.html
    """
    wanted = output.Output(**{name: rest.pop(name) for name in output.Output.__slots__})
    terms = parse(words) + tuple(_image_term(image) for image in images)
    wish = Query(
        terms,
        limit=limit,
        offset=offset,
        filters=Filters(**rest),
        min_score=min_score,
        min_z=min_z,
        exclude_images=no_self,
        textness=textness,
        max_textness=max_textness,
    )
    texts = any(isinstance(term.content, str) for term in terms)
    with Index.open(
        uri, collection=collection, token=token, create=False, preload=texts, **runtime.options()
    ) as index:
        [hits] = index.search_many([wish])
        if not hits:
            _refuse_unknown_tags(wish.filters.tags, index)
    under = wish.filters.under
    if not hits and under and not is_folder(expand_user(under)):
        raise UsageError(f"nothing is stored under {under}, and no such folder is there")
    pictures = [term.content for term in terms if isinstance(term.content, Path)]
    title = " ".join(words) or " + ".join(images)
    output.show(hits, wanted, title=title, images=pictures, start=offset + 1)
    start_unless_off(uri, token, collection, runtime)


def _refuse_unknown_tags(tags: tuple[str, ...], index: Index) -> None:
    there = index.tags() if tags else {}
    for tag in tags:
        if tag not in there:
            known = ", ".join(map(repr, list(there)[:10])) or "there are none: `clipsearch tag`"
            raise UsageError(f"no picture has the tag {tag!r}; {known}")


def _image_term(word: str) -> Term:
    weight, name = split_weight(word)
    return Term(as_image(name), weight)
