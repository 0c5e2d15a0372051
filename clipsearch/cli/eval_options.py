"""Options of the commands of `clipsearch eval`, and the printing of a result."""

import json

import click

from clipsearch.cli.exit_codes import EXIT_SOME_FAILED
from clipsearch.cli.options import FILE, FOLDER
from clipsearch.evaluation.results import Evaluation
from clipsearch.render import evaluation_table

images = click.option(
    "--images",
    type=FOLDER,
    metavar="DIR",
    help="Folder of the images.  [default: that of the captions, or images/ in it]",
)
split = click.option(
    "--split", metavar="NAME", help="Use only this split of the captions: val, test, …"
)
limit = click.option(
    "-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Use only the first N images."
)
per_class = click.option(
    "--per-class", type=click.IntRange(min=1), metavar="N", help="Use only N images of each class."
)
queries = click.option(
    "--queries",
    type=FILE,
    metavar="FILE",
    help="A text file with one query per line.  [default: images as queries]",
)


def show(evaluation: Evaluation, *, as_json: bool) -> int:
    """Print one result; return the exit code."""
    click.echo(
        json.dumps(evaluation.as_json())
        if as_json
        else evaluation_table.format_evaluation(evaluation)
    )
    return EXIT_SOME_FAILED if evaluation.skipped else 0
