"""`clipsearch eval compare`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from clipsearch import evaluation
from clipsearch.cli import options
from clipsearch.cli.eval_options import images, limit, per_class, split
from clipsearch.cli.exit_codes import EXIT_SOME_FAILED
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bars
from clipsearch.render import comparison_chart, evaluation_table
from clipsearch.render.output_file import require_suffix


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL MODEL...")
@click.option(
    "--captions", type=options.FILE, metavar="FILE", help="Compare retrieval on these captions."
)
@images
@split
@limit
@click.option(
    "--classes",
    type=options.FOLDER,
    metavar="DIR",
    help="Compare zero-shot classification on this folder of class folders.",
)
@per_class
@options.output_file("Write a table and a chart: .html, .png, .jpg or .webp.")
@options.as_json
@options.runtime
def compare(*, models: Sequence[str], output: Path | None, as_json: bool, **rest: Any) -> int:
    """Compare several models in a table and a chart.

    * marks the best result of a row. The chart shows the confidence intervals.

    \b
    clipsearch eval compare pocket clip --captions captions.jsonl -o compare.html
    clipsearch eval compare pocket clip align --classes birds/ -o compare.png
    """
    if output is not None:
        require_suffix(output)  # check before minutes of work
    with progress_bars() as new_bar:
        results = evaluation.compare_models(models, progress=new_bar, **rest)
    if as_json:
        for result in results:
            click.echo(json.dumps(result.as_json()))
    else:
        click.echo("\n".join([*map(evaluation_table.evaluation_title, results), ""]))
        click.echo(evaluation_table.align_rows(evaluation_table.comparison_rows(results)))
    if output is not None:
        comparison_chart.write_comparison(output, results)
        note(f"comparison: {output}")
    return EXIT_SOME_FAILED if any(result.skipped for result in results) else 0
