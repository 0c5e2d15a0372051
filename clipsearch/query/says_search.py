"""Search by the words that images show, alone or together with terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from clipsearch.batching import batches
from clipsearch.query.condition import Selection
from clipsearch.query.probability import add_probabilities
from clipsearch.query.query import Query
from clipsearch.query.thresholds import passes_thresholds
from clipsearch.query.zscore import Background
from clipsearch.records import MAX_RESULTS, Hit, ImageRecord
from clipsearch.says.explanation import find_lines
from clipsearch.says.loaded import text_index
from clipsearch.says.parser import Part, parse_says
from clipsearch.says.text_index import Found
from clipsearch.store import Collection
from clipsearch.store import filters as store_filters
from clipsearch.store.texts import TextRow, TextState
from clipsearch.types import Vectors

IDS_PER_READ = 2_000

FIRST_IDS = 8
"""Candidates that are read beyond those of the page, in case that some are filtered out."""

FEW_TEXTS = 100
"""Texts that are read with their lines at once; of more, first the hashes of their contents."""

RANK_CONSTANT = 60
"""k of reciprocal rank fusion, 1 / (k + rank) (Cormack, Clarke, Büttcher, SIGIR 2009)."""

parts_of = lru_cache(maxsize=64)(parse_says)


class _Scored(NamedTuple):
    """An image with the words, and the quality of the match."""

    hit: Hit
    quality: float


def search_says(
    query: Query,
    collection: Collection,
    selection: Selection,
    vector: Vectors | None,
    background: Background | None,
) -> list[Hit]:
    """Return the selected images that show all words of a query, best first, with the lines.

    Without terms, those with the best matches come first. With terms, `vector` is their (d,)
    embedding: the ranks by the match and by its score are fused, and thresholds count.
    """
    assert query.says is not None
    parts = parts_of(query.says)
    found = text_index(collection.texts).search(parts)
    if vector is None:
        ranked = _by_match(found, collection, selection, query.offset + query.limit)
    else:
        scored = _by_score(query, found, collection, selection, vector, background)
        ranked = iter(_fuse([each for each in scored if passes_thresholds(each.hit, query)]))
    return _page(ranked, query, parts, collection)


def _by_match(
    found: Found, collection: Collection, selection: Selection, count: int
) -> Iterator[Hit]:
    """Yield the selected images in the order of their matches."""
    for chunk in batches(_pairs(found, len(found.ids)), IDS_PER_READ, first=count + FIRST_IDS):
        qualities = dict(chunk)
        ids = list(qualities)
        if selection.condition:
            condition = store_filters.all_of(selection.condition, store_filters.id_in(ids))
            found_records: Iterable[ImageRecord] = collection.scan(condition)
        else:  # one call of Milvus, not two
            found_records = (row.record for row in collection.get(ids).values())
        records = {each.id: each for each in found_records if selection.matches(each)}
        yield from (Hit(records[id_], qualities[id_]) for id_ in ids if id_ in records)


def _by_score(
    query: Query,
    found: Found,
    collection: Collection,
    selection: Selection,
    vector: Vectors,
    background: Background | None,
) -> Iterator[_Scored]:
    """Yield the selected images with their score: MAX_RESULTS at most, of the best matches."""
    for chunk in batches(_pairs(found, MAX_RESULTS), IDS_PER_READ):
        qualities = dict(chunk)
        ids = list(qualities)
        condition = store_filters.all_of(selection.condition, store_filters.id_in(ids))
        [hits] = collection.search(vector, limit=len(ids), condition=condition)
        if collection.info.index.is_approximate and len(hits) < len(ids):
            hits = [*hits, *_missed(hits, collection, condition, vector)]
        hit_of = {hit.id: hit for hit in hits if selection.matches(hit.record)}
        hits = [hit_of[id_] for id_ in ids if id_ in hit_of]
        if background:
            hits = [replace(hit, z=background.z(hit.score)) for hit in hits]
        [hits] = add_probabilities([hits], [(query, vector, background)], collection)
        yield from (_Scored(hit, qualities[hit.id]) for hit in hits)


def _missed(
    hits: Sequence[Hit], collection: Collection, condition: str, vector: Vectors
) -> Iterator[Hit]:
    """Yield the matching images that an approximate search did not return."""
    known = {hit.id for hit in hits}
    ids = [record.id for record in collection.scan(condition) if record.id not in known]
    for row in collection.get(ids).values():
        yield Hit(row.record, float(np.dot(row.embedding, vector)))


def _fuse(scored: Sequence[_Scored]) -> list[Hit]:
    """Order images by the fusion of two ranks, of which equal ones are the same."""
    matches = _ranks([each.quality for each in scored])
    scores = _ranks([each.hit.score for each in scored])

    def fused(each: _Scored) -> float:
        ranks = matches[each.quality], scores[each.hit.score]
        return sum(1 / (RANK_CONSTANT + rank) for rank in ranks)

    return [each.hit for each in sorted(scored, key=fused, reverse=True)]


def _ranks(values: Sequence[float]) -> dict[float, int]:
    """Return the rank of each value, from 1 for the largest."""
    ranks: dict[float, int] = {}
    for rank, value in enumerate(sorted(values, reverse=True), 1):
        ranks.setdefault(value, rank)
    return ranks


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


def _pairs(found: Found, most: int) -> Iterator[tuple[str, float]]:
    """Yield id and quality of the best matches."""
    for id_, quality in zip(found.ids[:most], found.qualities[:most], strict=True):
        yield id_.decode(), float(quality)
