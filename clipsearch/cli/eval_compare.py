"""`clipsearch eval compare`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from clipsearch import evaluation
from clipsearch.cli import options
from clipsearch.cli.eval_options import FILE, bars, images, limit, per_class, split
from clipsearch.cli.main import EXIT_SOME_FAILED
from clipsearch.escape import escape_control
from clipsearch.render import comparison_chart, evaluation_table
from clipsearch.render.output_file import require_suffix


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL MODEL...")
@click.option(
    "--captions", type=FILE, metavar="FILE", help="Compare by retrieval on these captions."
)
@images
@split
@limit
@click.option(
    "--classes",
    type=FILE,
    metavar="DIR",
    help="Compare by zero-shot accuracy on a folder of class folders.",
)
@per_class
@click.option(
    "-o", "--output", type=FILE, metavar="FILE", help="Table and plot: .html, .png, .jpg or .webp."
)
@options.as_json
@options.runtime
def compare(*, models: Sequence[str], output: Path | None, as_json: bool, **rest: Any) -> int:
    """Put several models' numbers into one table and one plot.

    * is the best of a row. What a star is worth, the intervals in the plot say.

    \b
    clipsearch eval compare pocket clip --captions captions.jsonl -o compare.html
    clipsearch eval compare pocket clip align --classes birds/ -o compare.png
    """
    if output is not None:
        require_suffix(output)  # before minutes of work
    with bars() as bar:
        results = evaluation.compare_models(models, progress=bar, **rest)
    if as_json:
        for one in results:
            click.echo(json.dumps(one.as_json()))
    else:
        click.echo("\n".join([*map(evaluation_table.evaluation_title, results), ""]))
        click.echo(evaluation_table.align_rows(evaluation_table.comparison_rows(results)))
    if output is not None:
        comparison_chart.write_comparison(output, results)
        click.echo(f"comparison: {escape_control(str(output))}", err=True)
    return EXIT_SOME_FAILED if any(one.skipped for one in results) else 0
