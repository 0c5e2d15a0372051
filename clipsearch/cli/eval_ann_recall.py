"""`clipsearch eval ann-recall`."""

from pathlib import Path

import click

from clipsearch import evaluation
from clipsearch.cli import options
from clipsearch.cli.eval_options import queries, show
from clipsearch.cli.progress import progress_bar
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime


@click.command()
@queries
@options.as_json
@options.store
@options.runtime
def ann_recall(
    *,
    queries: Path | None,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> int:
    """Measure the recall of a collection's approximate nearest neighbor (ANN) index.

    The results are recall at 1, 10 and 100 against an exact search of every embedding.

    \b
    clipsearch eval ann-recall --uri http://127.0.0.1:19530
    clipsearch eval ann-recall --queries queries.txt
    """
    texts = evaluation.read_queries(queries) if queries else []
    with (
        Index.open(
            uri, collection=collection, token=token, create=False, **runtime.options()
        ) as index,
        progress_bar(unit=" items") as bar,
    ):
        embeddings = index.embed_texts(texts) if texts else None
        result = evaluation.evaluate_ann_recall(index.collection, queries=embeddings, progress=bar)
    return show(result, as_json=as_json)
