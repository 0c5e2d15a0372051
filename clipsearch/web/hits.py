"""The hits of one page: where the thresholds cut, in which order, and without duplicates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from clipsearch.index import Index
from clipsearch.query.close_vectors import CloseVectors
from clipsearch.query.embedding_groups import nearest_leaders
from clipsearch.query.near_duplicates import EMBEDDINGS_THRESHOLD
from clipsearch.query.thresholds import Thresholds, passes_thresholds
from clipsearch.query.vector_file import VectorArray
from clipsearch.records import Hit


@dataclass(frozen=True, slots=True)
class Page:
    """Some hits, whether more follow on a next page, and where the cut is.

    `passed` is the number of all hits above the cut, None if it is on a later page; `more_below`
    says whether images lie below it.
    """

    hits: Sequence[Hit]
    has_next: bool
    passed: int | None
    more_below: bool


def cut_page(hits: Sequence[Hit], thresholds: Thresholds, *, offset: int, limit: int) -> Page:
    """Return the page at `offset` of the best `limit` + 1 hits from there on.

    Those that pass come first: the cut is not one of p.
    """
    passes = [passes_thresholds(hit, thresholds) for hit in hits]
    shown = [hit for hit, is_above in zip(hits[:limit], passes, strict=False) if is_above]
    has_next = len(hits) > limit and passes[limit]
    return Page(shown, has_next, None if has_next else offset + len(shown), not all(passes))


def page_of_passing(
    hits: Sequence[Hit],
    thresholds: Thresholds,
    *,
    offset: int,
    limit: int,
    is_part: bool,
    by_date: bool = False,
) -> Page:
    """Return a page of all hits above the cut, by date the newest first, those without one last.

    `is_part` says that the collection may have more than these hits.
    """
    passing = [hit for hit in hits if passes_thresholds(hit, thresholds)]
    if by_date:
        passing.sort(key=lambda hit: hit.record.taken_at or datetime.min, reverse=True)
    shown = passing[offset : offset + limit]
    has_next = len(passing) > offset + limit
    more_below = is_part or len(passing) < len(hits)
    return Page(shown, has_next, len(passing) if by_date or not has_next else None, more_below)


def group_duplicates(
    page: Page, index: Index, group_of: Mapping[str, int]
) -> tuple[Page, dict[str, list[str]]]:
    """Return the page without hits that look as an earlier one, and their ids by its id.

    Images look the same if their embeddings nearly do, or if they are of one group of `group_of`,
    the number of the group of near-duplicates by id.
    """
    rows = index.collection.get([hit.id for hit in page.hits])
    hits = [hit for hit in page.hits if hit.id in rows]
    if not hits:
        return page, {}
    vectors = np.stack([rows[hit.id].embedding for hit in hits])
    duplicates: dict[str, list[str]] = {}
    kept = []
    close = CloseVectors(VectorArray(vectors), EMBEDDINGS_THRESHOLD)
    leaders = nearest_leaders(close, EMBEDDINGS_THRESHOLD)
    first_of: dict[int, int] = {}
    for position, hit in enumerate(hits):
        if (group := group_of.get(hit.id)) is not None:
            pair = leaders[first_of.setdefault(group, position)], leaders[position]
            leaders[leaders == max(pair)] = min(pair)
    for position, leader in enumerate(map(int, leaders)):
        if leader == position:
            kept.append(hits[position])
        else:
            duplicates.setdefault(hits[leader].id, []).append(hits[position].id)
    return replace(page, hits=kept), duplicates
