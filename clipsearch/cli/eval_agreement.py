"""`clipsearch eval agreement`."""

from pathlib import Path

import click

from clipsearch import evaluation
from clipsearch.cli import options
from clipsearch.cli.eval_options import limit, queries, show
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import UsageError
from clipsearch.models.runtime import PRECISIONS, RUNTIMES, Runtime


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.model
@click.option("--reference", metavar="MODEL", help="The reference model.  [default: the same]")
@click.option(
    "--reference-runtime", type=click.Choice(RUNTIMES), help="Runtime of the reference model."
)
@click.option(
    "--reference-precision", type=click.Choice(PRECISIONS), help="Precision of the reference model."
)
@queries
@limit
@options.as_json
@options.runtime
def agreement(
    *,
    paths: tuple[str, ...],
    model: str,
    reference: str | None,
    reference_runtime: str | None,
    reference_precision: str | None,
    queries: Path | None,
    limit: int | None,
    as_json: bool,
    runtime: Runtime,
) -> int:
    """Measure how closely a model's results match those of a reference model.

    The results are mAP@N for N = 10 … 20, with the first N results of the reference model as the
    ground truth, and the rank correlation. The reference may also be the same model in another
    precision or runtime.

    \b
    clipsearch eval agreement ~/Pictures --model pocket --reference clip --queries queries.txt
    clipsearch eval agreement ~/Pictures --model clip --precision int8 --reference-precision fp32
    """
    if not (reference or reference_runtime or reference_precision):
        raise UsageError(
            "no reference: give --reference MODEL, --reference-precision or --reference-runtime"
        )
    texts = evaluation.read_queries(queries) if queries else []
    with progress_bar(unit=" items") as bar:
        result = evaluation.evaluate_agreement(
            paths,
            model=model,
            against=reference or model,
            queries=texts,
            limit=limit,
            runtime=runtime,
            against_runtime=Runtime.from_options(
                runtime.device, reference_runtime, reference_precision
            ),
            progress=bar,
        )
    return show(result, as_json=as_json)
