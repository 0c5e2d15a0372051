"""`clipsearch tag`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from clipsearch.classify import LinearProbe
from clipsearch.classify.tags import DEFAULT_THRESHOLD
from clipsearch.cli import label_options, options
from clipsearch.cli.query import filters
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters
from clipsearch.render.display_text import display_width


@click.command()
@label_options.decorated(*label_options.LABELS, *label_options.TEMPLATE_OPTIONS)
@click.option(
    "--probe",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The labels of a probe instead.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=DEFAULT_THRESHOLD,
    show_default=True,
    metavar="P",
    help="No tag, where no label is so probable.",
)
@click.option("--add", is_flag=True, help="Keep earlier tags that are no label of this run.")
@click.option("--list", "list_", is_flag=True, help="Only count the tags that there are.")
@click.option("--clear", is_flag=True, help="Only take all tags away.")
@filters
@options.as_json
@options.store
@options.runtime
def tag(
    *,
    given: tuple[str, ...],
    file: Path | None,
    own: tuple[str, ...],
    sets: tuple[str, ...],
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
    """Label the pictures of a collection, so that queries can filter by it.

    Each picture gets its most probable label, unless that is less probable than --threshold.
    Tagging again replaces all earlier tags. A picture whose file changes loses its tags.

    \b
    clipsearch tag -l dog -l cat -l people -l landscape
    clipsearch tag -l indoors -l outdoors --add
    clipsearch query "on the beach" --tag dog --tag outdoors
    """  # fmt: skip
    labels, templates = label_options.labels_of(given, file), label_options.templates_of(own, sets)
    wanted = Filters(**rest)
    if bool(labels) + bool(probe) + list_ + clear > 1:
        raise UsageError("labels, --probe, --list and --clear exclude each other")
    if list_ and wanted != Filters():
        raise UsageError("--list counts the tags of the whole collection")
    classifier = LinearProbe.load(probe) if probe else labels
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        if list_:
            _show(index.tags(), "no tags: `clipsearch tag` gives some", as_json=as_json)
            return
        if clear:
            click.echo(f"{index.clear_tags(filters=wanted):,} pictures had tags", err=True)
            return
        report = index.tag(
            classifier, templates=templates, filters=wanted, threshold=threshold, add=add
        )
    _show(report.counts, "no picture matches", as_json=as_json)
    click.echo(
        f"{sum(report.counts.values()):,} tagged, {report.untagged:,} none of these, "
        f"{report.changed:,} changed",
        err=True,
    )


def _show(counts: Mapping[str, int], nothing: str, *, as_json: bool) -> None:
    if as_json:
        for label, count in counts.items():
            click.echo(json.dumps({"label": label, "pictures": count}))
    elif counts:
        wide = max(display_width(escape_control(label)) for label in counts)
        for label, count in counts.items():
            shown = escape_control(label)
            click.echo(f"{shown}{' ' * (wide - display_width(shown))}  {count:>7,}")
    else:
        click.echo(nothing, err=True)
