"""Search by the words that images show, alone or together with terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from clipsearch.batching import batches
from clipsearch.query.condition import Selection
from clipsearch.query.query import Query
from clipsearch.query.says_order import IDS_PER_READ, order_by_fusion, order_by_match
from clipsearch.query.zscore import Background
from clipsearch.records import Hit
from clipsearch.says.explanation import find_lines
from clipsearch.says.loaded import text_index
from clipsearch.says.parser import Part, parse_says
from clipsearch.store import Collection
from clipsearch.store.texts import TextRow, TextState
from clipsearch.types import Vectors

FEW_TEXTS = 100
"""Texts that are read with their lines at once; of more, first the hashes of their contents."""

parts_of = lru_cache(maxsize=64)(parse_says)


def search_says(
    query: Query,
    collection: Collection,
    selection: Selection,
    vector: Vectors | None,
    background: Background | None,
) -> list[Hit]:
    """Return the selected images that show all words of a query, best first, with the lines.

    Without terms, those with the best matches come first. With terms, `vector` is their (d,)
    embedding: the orders of matches and of scores are fused, and thresholds count.
    """
    assert query.says is not None
    parts = parts_of(query.says)
    found = text_index(collection.texts).search(parts)
    if vector is None:
        ranked = order_by_match(found, collection, selection, query.offset + query.limit)
    else:
        ranked = order_by_fusion(query, found, collection, selection, vector, background)
    return _page(ranked, query, parts, collection)


def _page(
    ranked: Iterator[Hit], query: Query, parts: Sequence[Part], collection: Collection
) -> list[Hit]:
    """Return the page of a query, without images whose content changed since they were read."""
    hits: list[Hit] = []
    texts: dict[str, TextRow] = {}
    skipped = 0
    for chunk in batches(ranked, IDS_PER_READ, first=query.offset + query.limit):
        ids = [hit.id for hit in chunk]
        states: Mapping[str, TextRow | TextState]
        if len(ids) <= FEW_TEXTS:
            states = found = collection.texts.get(ids)
            texts |= found
        else:
            states = collection.texts.states(ids)
        for hit in chunk:
            state = states.get(hit.id)
            if state is None or state.content_hash != hit.record.content_hash:
                continue
            if skipped < query.offset:
                skipped += 1
            elif len(hits) < query.limit:
                hits.append(hit)
        if len(hits) == query.limit:
            break
    texts |= collection.texts.get([hit.id for hit in hits if hit.id not in texts])
    return [
        replace(hit, says=find_lines(parts, texts[hit.id].text.lines) if hit.id in texts else ())
        for hit in hits
    ]
