"""Where the cut ends the hits of a page."""

from clipsearch.query import Query, Term
from clipsearch.records import Hit
from clipsearch.web.hits import cut_page
from tests.helpers.records import many

LEAST = Query((Term("red"),), min_p=0.5)


def hits(*values: float | None) -> list[Hit]:
    records = many(len(values))
    return [Hit(row.record, 0.9, 3.0, p=p) for row, p in zip(records, values, strict=True)]


def test_a_hit_below_the_cut_does_not_hide_those_behind_it() -> None:
    found = hits(0.9, 0.2, 0.8, 0.7, 0.6)
    page = cut_page(found, LEAST, offset=0, limit=4)
    assert [hit.p for hit in page.hits] == [0.9, 0.8, 0.7]
    assert page.has_next
    assert page.passed is None
    assert page.more_below


def test_the_second_half_of_a_page_below_the_cut_ends_the_hits() -> None:
    page = cut_page(hits(0.9, 0.8, 0.1, 0.2, 0.1), LEAST, offset=0, limit=4)
    assert len(page.hits) == 2
    assert (page.has_next, page.passed, page.more_below) == (False, 2, True)


def test_hits_without_p_are_cut_by_z() -> None:
    found = hits(None, None)
    assert len(cut_page(found, Query((Term("a"),), min_p=0.5), offset=0, limit=4).hits) == 2
    assert not cut_page(found, Query((Term("a"),), min_p=0.5, min_z=4), offset=0, limit=4).hits


def test_a_page_above_the_cut_counts_all() -> None:
    page = cut_page(hits(0.9, 0.8), LEAST, offset=4, limit=4)
    assert (page.has_next, page.passed, page.more_below) == (False, 6, False)
