"""`clipsearch explain`."""

import json
import logging
from pathlib import Path

import click
from click.core import ParameterSource

from clipsearch.cli import options
from clipsearch.cli.messages import note
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

log = logging.getLogger("clipsearch")

BAR_WIDTH = 24  # columns of the longest bar next to a word


@click.command()
@click.argument("query", metavar="TEXT")
@click.argument("image", type=options.PATH, metavar="IMAGE")
@options.output_file("Draw the heat map into a .png, .jpg or .webp file.")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="auto",
    show_default=True,
    help="occlusion works with any model; patches is faster, for open_clip's ViTs on torch.",
)
@options.collection_model
@options.as_json
@options.store
@options.runtime
@click.pass_context
def explain(
    context: click.Context,
    /,
    *,
    query: str,
    image: Path,
    output: Path | None,
    method: str,
    model: str | None,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> None:
    """Show which parts of an image and which words match a text.

    The heat map is hot where the image matches TEXT best. Every map has a hottest point, even if a
    low score says that the image does not match. The number of a word is the drop of the score
    without it.

    \b
    clipsearch explain "red umbrella" street.jpg -o map.png
    clipsearch explain "a dog in the snow" snow.jpg --json
    """
    if output is not None:
        require_suffix(output, IMAGE_SUFFIXES)  # check before a minute of work
    is_named = context.get_parameter_source("collection") is ParameterSource.COMMANDLINE
    if model is not None and is_named:
        raise UsageError("--collection determines the model: leave --model or --collection out")
    encoder = None
    if model is None:
        encoder = _collection_model(uri, token, collection, runtime, required=is_named)
    explanation = explain_match(
        query, image, model=encoder or model or "auto", method=method, runtime=runtime
    )
    for warning in explanation.warnings:
        log.warning("%s", warning)
    if output is not None:
        _draw(explanation, query, image, output)
    if as_json:
        heat_map_path = str(output) if output is not None else None
        click.echo(json.dumps({"path": str(image), **explanation.as_json(), "map": heat_map_path}))
    else:
        click.echo(_text(explanation, image))
    if output is not None:
        note(f"heat map: {output}")


def _collection_model(
    uri: str, token: str | None, collection: str, runtime: Runtime, *, required: bool
) -> Encoder | None:
    """Load the model of the collection; return None if there is no collection.

    Raises MissingCollectionError instead if the collection is `required`.
    """
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


def _draw(explanation: Explanation, query: str, image: Path, output: Path) -> None:
    words = [(word.word, word.value) for word in explanation.words]
    note = (
        f"{image.name} · score {explanation.score:.3f} · {explanation.model}, {explanation.method}"
    )
    drawing = heat_map.draw_explanation(
        explanation.image, explanation.heat_map, title=query, note=note, words=words
    )
    heat_map.write_explanation(output, drawing)


def _text(explanation: Explanation, image: Path) -> str:
    x, y = explanation.peak
    lines = [
        f"score {explanation.score:.3f}  {escape_control(str(image))}",
        f"hottest at {x}, {y} of {explanation.image.width} x {explanation.image.height} pixels"
        f"  ({explanation.method}, {escape_control(explanation.model)})",
    ]
    if not explanation.words:
        return "\n".join(lines)
    names = [escape_control(word.word) for word in explanation.words]
    width = max(map(display_width, names))
    largest = max(abs(word.value) for word in explanation.words) or 1.0
    lines.append("")
    for name, word in zip(names, explanation.words, strict=True):
        length = round(BAR_WIDTH * abs(word.value) / largest)
        bar = ("█" if word.value >= 0 else "░") * length
        padding = " " * (width - display_width(name))
        lines.append(f"{name}{padding}  {word.value:+.3f}  {bar}".rstrip())
    return "\n".join(lines)
