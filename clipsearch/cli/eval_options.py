"""What the commands of `clipsearch eval` share: options, bars, and how a result is shown."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from tqdm import tqdm

from clipsearch.cli.main import EXIT_SOME_FAILED
from clipsearch.evaluation.results import Evaluation
from clipsearch.files.progress import Progress
from clipsearch.render import evaluation_table

FILE = click.Path(path_type=Path)

model = click.option("--model", default="auto", show_default=True, help="See `clipsearch models`.")
images = click.option("--images", type=FILE, metavar="DIR", help="Where the pictures are.  [default: beside the captions, or in images/ there]")  # fmt: skip
split = click.option(
    "--split", metavar="NAME", help="Only that split of the captions: val, test, …"
)
limit = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N pictures.")  # fmt: skip
per_class = click.option("--per-class", type=click.IntRange(min=1), metavar="N", help="Only N pictures of each class.")  # fmt: skip


@contextmanager
def bars() -> Iterator[Callable[[str], Progress | None]]:
    """Makes bars on standard error, where somebody watches."""
    with ExitStack() as stack:

        def bar(name: str) -> Progress | None:
            if not sys.stderr.isatty():
                return None
            new = tqdm(desc=name or None, unit=" items", dynamic_ncols=True, smoothing=0.1)
            made: Progress = stack.enter_context(new)
            return made

        yield bar


def show(found: Evaluation, *, as_json: bool) -> int:
    """Print one result; the exit code."""
    click.echo(
        json.dumps(found.as_json()) if as_json else evaluation_table.format_evaluation(found)
    )
    return EXIT_SOME_FAILED if found.skipped else 0
