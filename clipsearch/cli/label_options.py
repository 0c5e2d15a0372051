"""What the commands share that tell which label a picture has."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from tqdm import tqdm

from clipsearch.classify import TEMPLATES, read_labels
from clipsearch.classify.predictions import Classification
from clipsearch.classify.templates import DEFAULT_TEMPLATES, PLACEHOLDER
from clipsearch.cli.main import EXIT_SOME_FAILED
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.progress import Progress
from clipsearch.query import Filters
from clipsearch.render import json_csv, table
from clipsearch.types import Failure

F = TypeVar("F", bound=Callable[..., Any])

SHOWN_FAILURES = 20
SHOWN_LABELS = 3

LABELS = (
    click.option("-l", "--label", "given", multiple=True, metavar="LABEL", help="In any language. Repeatable."),
    click.option("--labels", "file", type=click.Path(path_type=Path), metavar="FILE", help="Labels in a text file, one a line."),
)  # fmt: skip
TEMPLATE_OPTIONS = (
    click.option("--template", "own", multiple=True, metavar="TEXT", help='A sentence such as "a photo of a {}". Repeatable; averaged.'),
    click.option("--templates", "sets", multiple=True, type=click.Choice(list(TEMPLATES)), metavar="NAME", help=f"A built-in set: {', '.join(TEMPLATES)}. Repeatable.  [default: photo]"),
)  # fmt: skip
OUTPUT = (
    click.option("--top", type=click.IntRange(min=1), metavar="K", help=f"So many labels a picture.  [default: {SHOWN_LABELS}; all in JSON and CSV]"),
    click.option("--threshold", type=click.FloatRange(0, 1), default=0.0, metavar="P", help="None of these, where no label is so probable (0..1)."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
    click.option("--csv", "as_csv", is_flag=True, help="CSV with a header."),
)  # fmt: skip


def decorated(*options: Callable[[F], F]) -> Callable[[F], F]:
    """A decorator that adds some options, in their order."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def labels_of(given: Sequence[str], file: Path | None) -> list[str]:
    """All labels of the command line, those of the file last."""
    return [*given, *(read_labels(file) if file else [])]


def templates_of(own: Sequence[str], sets: Sequence[str]) -> Sequence[str]:
    """The templates of the command line; raises UsageError on one without a place for the label."""
    for template in own:
        if PLACEHOLDER not in template:
            raise UsageError(
                f"the template {template!r} has no {PLACEHOLDER}: write it where the label goes, or name a "
                "built-in set with --templates"
            )
    return [*own, *sets] or DEFAULT_TEMPLATES


def refuse_store(paths: Sequence[str], context: click.Context) -> None:
    """Raise UsageError where both files and a collection are asked for."""
    for name in ("collection", "uri"):
        if paths and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"PATHS are read from disk and --{name} from a store: give one of them"
            )


def refuse_filters(wanted: Filters) -> None:
    """Raise UsageError where files, not rows of a collection, would have to be chosen."""
    if wanted != Filters():
        raise UsageError("--under, --glob and the like choose among a collection, not PATHS")


@contextmanager
def progress(unit: str = " images") -> Iterator[Progress | None]:
    """A bar on standard error, where somebody watches."""
    hidden = not sys.stderr.isatty()
    with tqdm(unit=unit, disable=hidden, dynamic_ncols=True, smoothing=0.1) as bar:
        yield None if hidden else bar


def show(
    images: Sequence[Classification], failed: Sequence[Failure], *, as_json: bool, as_csv: bool
) -> int:
    """Print classifications and failures; the exit code."""
    if as_json:
        for one in images:
            click.echo(json_csv.classification_json(one))
    elif as_csv:
        click.echo(json_csv.classifications_csv(images), nl=False)
    elif images:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(table.classifications_table(images, width=width, relative_to=Path.cwd()))
    return show_failures(failed)


def show_failures(failed: Sequence[Failure]) -> int:
    """Tell of files that could not be read; the exit code."""
    for failure in failed[:SHOWN_FAILURES]:
        click.echo(f"failed: {escape_control(f'{failure.path}: {failure.reason}')}", err=True)
    if len(failed) > SHOWN_FAILURES:
        click.echo(f"… and {len(failed) - SHOWN_FAILURES:,} more", err=True)
    if failed:
        click.echo(f"{len(failed):,} failed", err=True)
    return EXIT_SOME_FAILED if failed else 0


def shown_top(top: int | None, *, as_json: bool, as_csv: bool) -> int | None:
    """How many predictions a picture: what was asked for, else few for people, all for programs."""
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    return SHOWN_LABELS if top is None and not (as_json or as_csv) else top
