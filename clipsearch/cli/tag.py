"""`clipsearch tag`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from clipsearch.classify import LinearProbe
from clipsearch.classify.tags import DEFAULT_THRESHOLD, TagReport
from clipsearch.cli import label_options, options
from clipsearch.cli.filter_options import filters
from clipsearch.cli.messages import note
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters
from clipsearch.render.display_text import display_width

CATCH_ALL = frozenset(("else", "other", "others", "anything", "miscellaneous", "none", "neither"))


@click.command()
@label_options.labels
@label_options.templates
@click.option(
    "--probe",
    type=options.FILE,
    metavar="FILE",
    help="Use the labels of a linear probe made by `clipsearch probe fit`.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=DEFAULT_THRESHOLD,
    show_default=True,
    metavar="P",
    help="Assign no tag below this probability (0..1).",
)
@click.option("--add", is_flag=True, help="Keep earlier tags that are not labels of this run.")
@click.option("--list", "list_", is_flag=True, help="List tags and counts; change nothing.")
@click.option("--clear", is_flag=True, help="Remove all tags; add none.")
@filters
@options.as_json
@options.store
@options.runtime
def tag(
    *,
    label_texts: tuple[str, ...],
    label_file: Path | None,
    template_texts: tuple[str, ...],
    template_sets: tuple[str, ...],
    probe: Path | None,
    threshold: float,
    add: bool,
    list_: bool,
    clear: bool,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    **rest: Any,
) -> None:
    """Label the images of a collection, to filter queries by label.

    Each image gets its most probable label if its probability reaches --threshold. Tagging again
    replaces all earlier tags. An image whose file changes loses its tags.

    \b
    clipsearch tag -l dog -l cat -l people -l landscape
    clipsearch tag -l indoors -l outdoors --add
    clipsearch query "on the beach" --tag dog --tag outdoors
    """
    labels = label_options.all_labels(label_texts, label_file)
    templates = label_options.all_templates(template_texts, template_sets)
    row_filters = Filters(**rest)
    if bool(labels) + bool(probe) + list_ + clear > 1:
        raise UsageError("labels, --probe, --list and --clear exclude each other")
    if list_ and row_filters != Filters():
        raise UsageError("--list counts the tags of the whole collection: leave out the filters")
    classifier = LinearProbe.load(probe) if probe else labels
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        if list_:
            _show(index.tags(), "no tags: `clipsearch tag` adds tags", as_json=as_json)
            return
        if clear:
            cleared = index.clear_tags(filters=row_filters)
            note(f"removed the tags of {cleared:,} images")
            return
        report = index.tag(
            classifier, templates=templates, filters=row_filters, threshold=threshold, add=add
        )
    _show(report.counts, "no matching images", as_json=as_json)
    note(
        f"{sum(report.counts.values()):,} tagged, {report.untagged:,} without a tag, "
        f"{report.changed:,} changed"
    )
    if labels and report.counts and (reminder := _reminder(report, labels)):
        click.echo(reminder, err=True)


def _reminder(report: TagReport, labels: Sequence[str]) -> str:
    """Advice if one label took most images and none of the labels is for everything else."""
    images = sum(report.counts.values()) + report.untagged
    label, count = max(report.counts.items(), key=lambda each: each[1])
    words = {word for text in labels for word in text.casefold().split()}
    if 3 * count <= 2 * images or words & CATCH_ALL:
        return ""
    return (
        f"{escape_control(label)!r} took {count:,} of {images:,} images: an image gets the label "
        'that fits best, even if none fits well; -l "something else" takes images of other things'
    )


def _show(counts: Mapping[str, int], empty_message: str, *, as_json: bool) -> None:
    if as_json:
        for label, count in counts.items():
            click.echo(json.dumps({"label": label, "images": count}))
    elif counts:
        names = {label: escape_control(label) for label in counts}
        width = max(map(display_width, names.values()))
        for label, count in counts.items():
            padding = " " * (width - display_width(names[label]))
            click.echo(f"{names[label]}{padding}  {count:>7,}")
    else:
        note(empty_message)
