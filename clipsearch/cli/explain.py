"""`clipsearch explain`."""

import json
from pathlib import Path

import click
from click.core import ParameterSource

from clipsearch.cli import options
from clipsearch.errors import MissingCollectionError, UsageError
from clipsearch.escape import escape_control
from clipsearch.explain import METHODS, Explanation
from clipsearch.explain.explanation import explain_match
from clipsearch.files.paths import expand_user, is_file
from clipsearch.index import Index
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.render import heat_map
from clipsearch.render.display_text import display_width
from clipsearch.render.output_file import IMAGE_SUFFIXES, require_suffix

BAR = 24  # columns of the longest bar beside a word


@click.command()
@click.argument("query", metavar="TEXT")
@click.argument("picture", type=click.Path(path_type=Path), metavar="PICTURE")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Draw the heat map into a .png, .jpg or .webp file.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(METHODS), default="auto", show_default=True,
    help="occlusion: any model. patches: vision transformers of open_clip on torch, quick.",
)  # fmt: skip
@click.option("--model", help="See `clipsearch models`.  [default: the collection's, or auto]")
@options.as_json
@options.store
@options.runtime
@click.pass_context
def explain(
    context: click.Context,
    /,
    *,
    query: str,
    picture: Path,
    output: Path | None,
    method: str,
    model: str | None,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> None:
    """Show why a picture matches a text: where in it, and through which words.

    The map is hot where the picture has most of TEXT; it always has a hottest place, also where
    the score says that TEXT is not in the picture at all. A word's number is what the score loses
    without it.

    \b
    clipsearch explain "red umbrella" photo.jpg -o map.png
    clipsearch explain "a dog in the snow" photo.jpg --json
    """
    if output is not None:
        require_suffix(output, IMAGE_SUFFIXES)  # before a minute's work
    named = context.get_parameter_source("collection") is ParameterSource.COMMANDLINE
    if model is not None and named:
        raise UsageError("--collection says which model: leave --model out, or the collection")
    encoder = None
    if model is None:
        encoder = _collection_model(uri, token, collection, runtime, required=named)
    found = explain_match(
        query, picture, model=encoder or model or "auto", method=method, runtime=runtime
    )
    if output is not None:
        words = [(one.word, one.value) for one in found.words]
        note = f"{picture.name} · score {found.score:.3f} · {found.model}, {found.method}"
        image = heat_map.draw_explanation(
            found.image, found.heat_map, title=query, note=note, words=words
        )
        heat_map.write_explanation(output, image)
    if as_json:
        drawn = str(output) if output is not None else None
        click.echo(json.dumps({"path": str(picture), **found.as_json(), "map": drawn}))
    else:
        click.echo(_text(found, picture))
    if output is not None:
        click.echo(f"heat map: {escape_control(str(output))}", err=True)


def _collection_model(
    uri: str, token: str | None, collection: str, runtime: Runtime, *, required: bool
) -> Encoder | None:
    """The model that made the collection's vectors; None where there is no such collection."""
    if "://" not in uri and not is_file(expand_user(Path(uri))) and not required:
        return None
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        if index.model is None:
            if required:
                raise MissingCollectionError(f"no collection {collection!r} in {uri}")
            return None
        return index.encoder


def _text(found: Explanation, picture: Path) -> str:
    x, y = found.peak
    lines = [
        f"score {found.score:.3f}  {escape_control(str(picture))}",
        f"hottest at {x}, {y} of {found.image.width} x {found.image.height} pixels"
        f"  ({found.method}, {escape_control(found.model)})",
    ]
    if not found.words:
        return "\n".join(lines)
    words = [escape_control(one.word) for one in found.words]
    width = max(map(display_width, words))
    largest = max(abs(one.value) for one in found.words) or 1.0
    lines.append("")
    for word, one in zip(words, found.words, strict=True):
        length = round(BAR * abs(one.value) / largest)
        bar = ("█" if one.value >= 0 else "░") * length
        lines.append(
            f"{word}{' ' * (width - display_width(word))}  {one.value:+.3f}  {bar}".rstrip()
        )
    return "\n".join(lines)
