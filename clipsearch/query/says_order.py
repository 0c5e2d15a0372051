"""The order of the images that show the words of a query: by match, or fused with scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from clipsearch.batching import batches
from clipsearch.query.condition import Selection
from clipsearch.query.probability import add_probabilities
from clipsearch.query.query import Query
from clipsearch.query.thresholds import passes_thresholds
from clipsearch.query.zscore import Background
from clipsearch.records import MAX_RESULTS, Hit, ImageRecord
from clipsearch.says.text_index import Found
from clipsearch.store import Collection
from clipsearch.store import filters as store_filters
from clipsearch.types import Vectors

FEW = 200
"""Images that are compared or scored at once: Milvus Lite takes 8 ms, for 2,000 images 150 ms."""

SMALL_SELECTION = 4_000
"""Selected images whose ids are all read at once, which takes 30 ms."""

IDS_PER_READ = 2_000

FIRST_IDS = 8
"""Candidates that are read beyond those of the page, in case that some texts are stale."""

RANK_CONSTANT = 60
"""k of reciprocal rank fusion, 1 / (k + rank) (Cormack, Clarke, Büttcher, SIGIR 2009)."""


class _Scored(NamedTuple):
    """An image with the words, and the quality of the match."""

    hit: Hit
    quality: float


def order_by_match(
    found: Found, collection: Collection, selection: Selection, count: int
) -> Iterator[Hit]:
    """Yield the selected images in the order of their matches; `count` are probably used."""
    selected = _selected(found, collection, selection, count)
    for chunk in batches(selected, IDS_PER_READ, first=count + FIRST_IDS):
        rows = collection.get([id_ for id_, _ in chunk])
        yield from (Hit(rows[id_].record, quality) for id_, quality in chunk if id_ in rows)


def order_by_fusion(
    query: Query,
    found: Found,
    collection: Collection,
    selection: Selection,
    vector: Vectors,
    background: Background | None,
) -> Iterator[Hit]:
    """Yield the selected images in the fused order of their matches and of their scores.

    Of more than FEW, first come those that are among the FEW best matches or the FEW best scores.
    The others follow, if they are among the MAX_RESULTS best matches.
    """

    def fuse(scored: Iterable[tuple[Hit, float]]) -> list[Hit]:
        pairs = list(scored)
        hits = [hit for hit, _ in pairs]
        if background:
            hits = [replace(hit, z=background.z(hit.score)) for hit in hits]
        [hits] = add_probabilities([hits], [(query, vector, background)], collection)
        all_scored = map(_Scored, hits, (quality for _, quality in pairs))
        return _fuse([each for each in all_scored if passes_thresholds(each.hit, query)])

    def score(qualities: Mapping[str, float]) -> dict[str, tuple[Hit, float]]:
        hits = {hit.id: hit for hit in _score(qualities, collection, selection, vector)}
        return {id_: (hits[id_], value) for id_, value in qualities.items() if id_ in hits}

    first = score(dict(_pairs(found, 0, FEW)))
    if len(found.ids) <= FEW:
        yield from fuse(first.values())
        return
    [nearest] = collection.search(vector, limit=FEW, condition=selection.condition)
    near = {hit.id: hit for hit in nearest if selection.matches(hit.record)}
    first |= {id_: (near[id_], quality) for id_, quality in _pairs_of(found, near)}
    yield from fuse(first.values())
    others = {id_: quality for id_, quality in _pairs(found, FEW, MAX_RESULTS) if id_ not in first}
    if not _is_everything(selection):
        known = _selected_ids(collection, selection)
        others = {id_: quality for id_, quality in others.items() if id_ in known}
    yield from fuse(score(others).values())


def _selected(
    found: Found, collection: Collection, selection: Selection, count: int
) -> Iterator[tuple[str, float]]:
    """Yield id and quality of the matches whose images are selected, in order.

    The ids of a large selection are read only if a few matches were not enough.
    """
    if _is_everything(selection):
        yield from _pairs(found)
        return
    start = 0
    if not selection.condition or collection.count(selection.condition) > SMALL_SELECTION:
        for end in (count + FIRST_IDS, count + FEW):
            if chunk := list(_pairs(found, start, end)):
                known = _selected_ids(collection, selection, [id_ for id_, _ in chunk])
                yield from (pair for pair in chunk if pair[0] in known)
            start = max(start, end)
    if start < len(found.ids):
        rest = Found(found.ids[start:], found.qualities[start:])
        yield from _pairs_of(rest, _selected_ids(collection, selection))


def _selected_ids(
    collection: Collection, selection: Selection, ids: Sequence[str] = ()
) -> set[str]:
    """Return the ids of all selected images, or of those with these ids."""
    known = _matching(ids, selection.condition, collection) if ids else None
    if selection.is_exact:
        return set(collection.scan_field("id", selection.condition)) if known is None else known
    if known is None:
        records: Iterable[ImageRecord] = collection.scan(selection.condition)
    else:
        records = (row.record for row in collection.get(list(known)).values())
    return {record.id for record in records if selection.matches(record)}


def _matching(ids: Sequence[str], condition: str, collection: Collection) -> set[str]:
    """Return those of some ids whose images match a condition."""
    conditions = (store_filters.id_in(batch, condition) for batch in batches(ids, IDS_PER_READ))
    return {id_ for each in conditions for id_ in collection.scan_field("id", each)}


def _is_everything(selection: Selection) -> bool:
    return selection.is_exact and not selection.condition


def _score(
    ids: Iterable[str], collection: Collection, selection: Selection, vector: Vectors
) -> Iterator[Hit]:
    """Yield the selected images of some ids with their score.

    An approximate search may miss some: they are read.
    """
    for chunk in batches(ids, FEW):
        condition = store_filters.id_in(chunk, selection.condition)
        [hits] = collection.search(vector, limit=len(chunk), condition=condition)
        if collection.info.index.is_approximate and len(hits) < len(chunk):
            known = {hit.id for hit in hits}
            ids_left = _matching(chunk, selection.condition, collection) - known
            rows = collection.get(list(ids_left)).values()
            hits += [Hit(row.record, float(np.dot(row.embedding, vector))) for row in rows]
        yield from (hit for hit in hits if selection.matches(hit.record))


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


def _pairs(found: Found, start: int = 0, end: int | None = None) -> Iterator[tuple[str, float]]:
    """Yield id and quality of these matches, in order."""
    for id_, quality in zip(found.ids[start:end], found.qualities[start:end], strict=True):
        yield id_.decode(), float(quality)


def _pairs_of(found: Found, ids: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Yield id and quality of those matches that have one of some ids."""
    wanted = {id_.encode() for id_ in ids}
    for number, id_ in enumerate(found.ids.tolist()):
        if id_ in wanted:
            yield id_.decode(), float(found.qualities[number])
