"""Options of the commands that assign labels, and the printing of classifications."""

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from clipsearch.classify import TEMPLATES, read_labels
from clipsearch.classify.predictions import Classification
from clipsearch.classify.templates import DEFAULT_TEMPLATES, PLACEHOLDER
from clipsearch.cli.failures import show_failures
from clipsearch.cli.options import FILE, add_options, as_csv, as_json
from clipsearch.cli.output import table_width
from clipsearch.errors import UsageError
from clipsearch.query import Filters
from clipsearch.render import json_csv, table
from clipsearch.types import Failure

SHOWN_LABELS = 3

labels = add_options(
    click.option(
        "-l",
        "--label",
        "label_texts",
        multiple=True,
        metavar="LABEL",
        help="A label: a word or a phrase. Repeatable.",
    ),
    click.option(
        "--label-file", type=FILE, metavar="FILE", help="A text file with one label per line."
    ),
)
template_sets = click.option(
    "--template-set",
    "template_sets",
    multiple=True,
    type=click.Choice(list(TEMPLATES)),
    metavar="NAME",
    help=f"A built-in set of templates: {', '.join(TEMPLATES)}. Repeatable.",
)
templates = add_options(
    click.option(
        "--template",
        "template_texts",
        multiple=True,
        metavar="TEXT",
        help='A sentence such as "a photo of a {}". Repeatable; the embeddings are averaged.',
    ),
    template_sets,
)
predictions = add_options(
    click.option(
        "--top",
        type=click.IntRange(min=1),
        metavar="N",
        help=f"Number of labels per image.  [default: {SHOWN_LABELS}; all with --json and --csv]",
    ),
    click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="P",
        help="Assign no label below this probability (0..1).",
    ),
    as_json,
    as_csv,
)


def all_labels(label_texts: Sequence[str], label_file: Path | None) -> list[str]:
    """Return the labels of the command line, then those of the file."""
    return [*label_texts, *(read_labels(label_file) if label_file else [])]


def all_templates(template_texts: Sequence[str], template_sets: Sequence[str]) -> Sequence[str]:
    """Return the chosen templates, or the default ones.

    Raises UsageError if a template has no place for the label.
    """
    for template in template_texts:
        if PLACEHOLDER not in template:
            raise UsageError(
                f"the template {template!r} has no {PLACEHOLDER}: write {PLACEHOLDER} for the "
                "label, or choose a built-in set with --template-set"
            )
    return [*template_texts, *template_sets] or DEFAULT_TEMPLATES


def require_files_only(context: click.Context, filters: Filters) -> None:
    """Raise UsageError if PATHS come with options of a collection."""
    for name in ("collection", "uri"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"PATHS are files and --{name} names stored images: give one of them")
    if filters != Filters():
        raise UsageError("--under, --glob and the other filters apply to a collection, not PATHS")


def limit_predictions(top: int | None, *, as_json: bool, as_csv: bool) -> int | None:
    """Return the number of labels per image: `top`, else few in a table and all in JSON and CSV."""
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    return SHOWN_LABELS if top is None and not (as_json or as_csv) else top


def show(
    classifications: Sequence[Classification],
    failures: Sequence[Failure],
    *,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Print classifications and failures; return the exit code."""
    if as_json:
        for classification in classifications:
            click.echo(json_csv.classification_json(classification))
    elif as_csv:
        click.echo(json_csv.classifications_csv(classifications), nl=False)
    elif classifications:
        click.echo(
            table.classifications_table(
                classifications, width=table_width(), relative_to=Path.cwd()
            )
        )
    return show_failures(failures)
