"""`clipsearch classify`."""

from pathlib import Path
from typing import Any

import click

from clipsearch.classify.zero_shot import classify_images
from clipsearch.cli import label_options, options
from clipsearch.cli.filter_options import filters
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@label_options.labels
@label_options.templates
@label_options.predictions
@options.collection_model
@filters
@options.store
@options.runtime
@click.pass_context
def classify(
    context: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    label_texts: tuple[str, ...],
    label_file: Path | None,
    template_texts: tuple[str, ...],
    template_sets: tuple[str, ...],
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
    """Assign labels to images, without training (zero-shot classification).

    PATHS are files and folders; the default is the whole collection, by its stored embeddings. The
    probabilities of all labels add up to 1: give a label for everything that an image may show.

    \b
    clipsearch classify ~/Pictures/cats -l cat -l dog -l "something else"
    clipsearch classify --label-file labels.txt --template-set contexts --top 1 --csv
    clipsearch classify --under ~/Pictures/Alps -l "a summer day" -l "a winter day" --threshold 0.8
    """
    labels = label_options.all_labels(label_texts, label_file)
    templates = label_options.all_templates(template_texts, template_sets)
    top = label_options.limit_predictions(top, as_json=as_json, as_csv=as_csv)
    row_filters = Filters(**rest)
    if paths:
        label_options.require_files_only(context, row_filters)
        with progress_bar() as bar:
            report = classify_images(
                paths,
                labels,
                templates=templates,
                model=model or "auto",
                runtime=runtime,
                top=top,
                threshold=threshold,
                progress=bar,
            )
        return label_options.show(report.images, report.failed, as_json=as_json, as_csv=as_csv)
    with Index.open(
        uri, collection=collection, model=model, token=token, create=False, **runtime.options()
    ) as index:
        images = index.classify(
            labels, templates=templates, filters=row_filters, top=top, threshold=threshold
        )
    if not images:
        note("no matching images")
    return label_options.show(images, [], as_json=as_json, as_csv=as_csv)
