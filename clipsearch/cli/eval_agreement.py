"""`clipsearch eval agreement`."""

from pathlib import Path

import click

from clipsearch import evaluation
from clipsearch.cli import options
from clipsearch.cli.eval_options import FILE, bars, limit, model, show
from clipsearch.errors import UsageError
from clipsearch.index import Index
from clipsearch.models.runtime import PRECISIONS, RUNTIMES, Runtime


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@model
@click.option(
    "--against", metavar="MODEL", help="Whose results are the truth.  [default: the same model]"
)
@click.option("--against-runtime", type=click.Choice(RUNTIMES), help="What that one runs on.")
@click.option("--against-precision", type=click.Choice(PRECISIONS), help="How exactly it computes.")
@click.option(
    "--queries",
    type=FILE,
    metavar="FILE",
    help="Texts to search for, one a line.  [default: each picture searches the others]",
)
@limit
@click.option(
    "--exact", is_flag=True, help="Hold a collection's search against an exact one instead."
)
@options.as_json
@options.store
@options.runtime
def agreement(
    *,
    paths: tuple[str, ...],
    model: str,
    against: str | None,
    against_runtime: str | None,
    against_precision: str | None,
    queries: Path | None,
    limit: int | None,
    exact: bool,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> int:
    """Does one model find what another finds?

    mAP@N for N = 10 … 20: the model's first N results, where the other's first N are right; and the
    correlation of the whole rankings. Or one model in two precisions or runtimes. Or, with
    --exact, the share of the true nearest pictures that a collection's index finds.

    \b
    clipsearch eval agreement ~/Pictures --model pocket --against clip --queries queries.txt
    clipsearch eval agreement ~/Pictures --model clip --precision int8 --against-precision fp32
    clipsearch eval agreement --exact --uri http://127.0.0.1:19530
    """
    texts = evaluation.read_queries(queries) if queries else []
    if exact:
        if paths or against or against_runtime or against_precision:
            raise UsageError("--exact is about a collection: leave PATHS and --against out")
        with (
            Index.open(
                uri, collection=collection, token=token, create=False, **runtime.options()
            ) as index,
            bars() as bar,
        ):
            vectors = index.embed_texts(texts) if texts else None
            found = evaluation.evaluate_ann_recall(
                index.collection, queries=vectors, progress=bar("")
            )
        return show(found, as_json=as_json)
    if not paths:
        raise UsageError("no pictures: give files or folders, or --exact for a collection")
    if not (against or against_runtime or against_precision):
        raise UsageError("name the other side: --against MODEL, or --against-precision fp32, …")
    reference = Runtime.from_options(runtime.device, against_runtime, against_precision)
    with bars() as bar:
        found = evaluation.evaluate_agreement(
            paths, model=model, against=against or model, queries=texts, limit=limit,
            runtime=runtime, against_runtime=reference, progress=bar(""),
        )  # fmt: skip
    return show(found, as_json=as_json)
