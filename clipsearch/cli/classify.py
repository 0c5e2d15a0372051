"""`clipsearch classify`."""

from pathlib import Path
from typing import Any

import click

from clipsearch.classify.zero_shot import classify_images
from clipsearch.cli import label_options, options
from clipsearch.cli.query import filters
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@label_options.decorated(
    *label_options.LABELS, *label_options.TEMPLATE_OPTIONS, *label_options.OUTPUT
)
@click.option("--model", help="See `clipsearch models`.  [default: the collection's, or auto]")
@filters
@options.store
@options.runtime
@click.pass_context
def classify(
    context: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    given: tuple[str, ...],
    file: Path | None,
    own: tuple[str, ...],
    sets: tuple[str, ...],
    top: int | None,
    threshold: float,
    as_json: bool,
    as_csv: bool,
    model: str | None,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    **rest: Any,
) -> int:
    """Tell which of some labels fits each picture, without training.

    PATHS are files and folders. Without any, it is the whole collection, of which no picture is
    decoded. The probabilities of all labels add up to 1: give a label for everything that a picture
    may be.

    \b
    clipsearch classify ~/Pictures/cats -l cat -l dog -l "something else"
    clipsearch classify --labels labels.txt --templates contexts --top 1 --csv
    clipsearch classify --under ~/Pictures/Alps -l "a summer day" -l "a winter day" --threshold 0.8
    """
    labels, templates = label_options.labels_of(given, file), label_options.templates_of(own, sets)
    top = label_options.shown_top(top, as_json=as_json, as_csv=as_csv)
    wanted = Filters(**rest)
    if paths:
        label_options.refuse_store(paths, context)
        label_options.refuse_filters(wanted)
        with label_options.progress() as bar:
            found = classify_images(
                paths, labels, templates=templates, model=model or "auto", runtime=runtime,
                top=top, threshold=threshold, progress=bar,
            )  # fmt: skip
        return label_options.show(found.images, found.failed, as_json=as_json, as_csv=as_csv)
    with Index.open(
        uri, collection=collection, model=model, token=token, create=False, **runtime.options()
    ) as index:
        images = index.classify(
            labels, templates=templates, filters=wanted, top=top, threshold=threshold
        )
    if not images:
        click.echo("no picture matches", err=True)
    return label_options.show(images, [], as_json=as_json, as_csv=as_csv)
