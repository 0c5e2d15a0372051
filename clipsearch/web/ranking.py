"""Several queries of users at once: their hits, and what the model ignores of their texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from clipsearch.errors import ClipsearchError, UsageError
from clipsearch.index import Index
from clipsearch.models.text_loss import text_warnings_of_each
from clipsearch.query import Query
from clipsearch.query.response import Said
from clipsearch.query.said import find_said, says_warnings
from clipsearch.query.search import query_texts, search
from clipsearch.records import Hit
from clipsearch.store import Collection


@dataclass(frozen=True, slots=True)
class Ranking:
    """The hits of a query, best first, the model's name, warnings, and texts that images show."""

    hits: Sequence[Hit]
    model: str
    warnings: Sequence[str] = ()
    said: Sequence[Said] = ()


def reads_all_rows(query: Query) -> bool:
    """Whether a query may read all rows, as Milvus cannot evaluate a part of it."""
    filters = query.filters
    scans = filters.glob, filters.near, filters.camera, query.max_textness, query.says
    return any(value is not None for value in scans)


def rank_all(queries: Sequence[Query], index: Index) -> list[Ranking | Exception]:
    """Return for each query its ranking, or the error of the library that it raises."""
    try:
        return list(index.read(lambda collection: _rank(queries, index, collection)))
    except ClipsearchError as error:
        if len(queries) == 1:
            return [error]
    # One of them is to blame, which the others must not suffer for.
    return [result for query in queries for result in rank_all([query], index)]


def _rank(queries: Sequence[Query], index: Index, collection: Collection) -> list[Ranking]:
    if any(query.textness is not None or query.max_textness is not None for query in queries):
        _require_probe(index)
    results = search(queries, index.load, collection)
    model = collection.info.model.name
    return [
        Ranking(
            hits,
            model,
            [*warnings, *says_warnings(query, hits, collection)],
            find_said(query, collection),
        )
        for query, hits, warnings in zip(queries, results, _warnings(queries, index), strict=True)
    ]


def _warnings(queries: Sequence[Query], index: Index) -> list[list[str]]:
    texts = [query_texts([query]) for query in queries]
    if not any(texts):  # a search by images alone needs no model
        return [[] for _ in queries]
    return text_warnings_of_each(index.encoder, texts)


def _require_probe(index: Index) -> None:
    """Raise UsageError if a probe would have to be fitted now, which takes minutes."""
    if index.textness.find() is None:
        raise UsageError(
            "nothing measures text in images of this model yet: run `clipsearch textness fit`"
        )
