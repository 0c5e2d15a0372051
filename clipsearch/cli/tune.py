"""`clipsearch tune`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from clipsearch import evaluation
from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_ERROR
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import ModelError, ModelMismatchError
from clipsearch.evaluation.index_tuning import QUERIES, RESULTS, TuningReport
from clipsearch.evaluation.query_texts import QUERY_TEXTS
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.render.index_table import describe_tuning, tuning_lines
from clipsearch.store.index.kinds import MANAGED
from clipsearch.types import Vectors


@click.command()
@click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="0..1",
    help="Share of the true nearest images that a search is to find.  [default: that of the "
    "collection, or 0.98]",
)
@click.option(
    "--queries",
    "count",
    type=click.IntRange(min=1),
    default=QUERIES,
    show_default=True,
    metavar="N",
    help="Number of images that serve as queries, with noise.",
)
@click.option(
    "-k",
    "--results",
    type=click.IntRange(1, 1_000),
    default=RESULTS,
    show_default=True,
    metavar="N",
    help="Number of results of a search, in which the recall is measured.",
)
@click.option(
    "--texts",
    type=options.FILE,
    metavar="FILE",
    help="A text file with one text query per line.  [default: 60 general ones]",
)
@options.as_json
@options.store
@options.runtime
def tune(
    *,
    recall: float | None,
    count: int,
    results: int,
    texts: Path | None,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> int:
    """Measure how thoroughly a collection's index must search, and let searches use that.

    An approximate index takes a parameter (ef, nprobe, search_list) that trades time for recall.
    The smallest value that reaches the recall is found on the collection itself: image and text
    queries are answered exactly, by reading every vector once, and then with the index.

    \b
    clipsearch tune --uri http://127.0.0.1:19530
    clipsearch tune --recall 0.95 --texts queries.txt
    """
    lines = evaluation.read_queries(texts) if texts else QUERY_TEXTS
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        ann = index.collection.index
        if not ann.settings.is_approximate:
            return _show_exact(ann.settings.kind, as_json=as_json)
        embeddings = _embed(index, lines, required=texts is not None)
        with progress_bar() as bar:
            meter = evaluation.RecallMeter(
                index.collection, queries=count, results=results, texts=embeddings, progress=bar
            )
        report = evaluation.tune_index(ann, meter, recall=recall)
        if report.tuning:
            ann.set_tuning(report.tuning)
    _show(report, as_json=as_json)
    return 0 if report.reached else EXIT_ERROR


def _embed(index: Index, texts: list[str] | tuple[str, ...], *, required: bool) -> Vectors | None:
    """Return the embeddings of texts; None if the model cannot be loaded and nobody needs them."""
    try:
        return index.embed_texts(texts)
    except (ModelError, ModelMismatchError) as error:
        if required:
            raise
        note(f"measured without text queries: {error}")
        return None


def _show_exact(kind: str, *, as_json: bool) -> int:
    """Say that there is nothing to tune; return the exit code."""
    report = TuningReport(kind, None, 0, (), None)
    nothing = f"the index is {kind}, exact: nothing to tune"
    click.echo(json.dumps(asdict(report)) if as_json else nothing)
    return 0


def _show(report: TuningReport, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        for line in tuning_lines(report):
            click.echo(line)
        if report.tuning:
            click.echo(f"stored: {describe_tuning(report.tuning)}")
    if not report.reached:
        note(f"the recall was not reached{_describe_better(report.kind)}")


def _describe_better(kind: str) -> str:
    """Say which index finds more than one of this kind; nothing where none can be chosen."""
    if kind == MANAGED:
        return ""
    better = "flat" if kind == "hnsw" else "hnsw"
    return f": `clipsearch index --to {better}` makes a more exact index"
