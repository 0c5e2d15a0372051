"""Where the cut ends the hits of a page."""

from clipsearch.query import Query, Term
from clipsearch.records import Hit
from clipsearch.web.hits import cut_page, page_of_passing
from tests.helpers.records import many

LEAST = Query((Term("red"),), min_p=0.5)


def hits(*values: float | None) -> list[Hit]:
    records = many(len(values))
    return [Hit(row.record, 0.9, 3.0, p=p) for row, p in zip(records, values, strict=True)]


def test_pages_hold_as_many_hits_above_a_cut_of_p_as_there_are() -> None:
    found = hits(0.9, 0.2, 0.8, 0.7, 0.1, 0.6)
    page = page_of_passing(found, LEAST, offset=0, limit=3, is_part=False)
    assert [hit.p for hit in page.hits] == [0.9, 0.8, 0.7]
    assert (page.has_next, page.passed, page.more_below) == (True, None, True)
    page = page_of_passing(found, LEAST, offset=3, limit=3, is_part=False)
    assert [hit.p for hit in page.hits] == [0.6]
    assert (page.has_next, page.passed, page.more_below) == (False, 4, True)


def test_hits_without_p_are_cut_by_z() -> None:
    found = hits(None, None)
    assert len(cut_page(found, Query((Term("a"),), min_p=0.5), offset=0, limit=4).hits) == 2
    assert not cut_page(found, Query((Term("a"),), min_p=0.5, min_z=4), offset=0, limit=4).hits


def test_a_page_above_the_cut_counts_all() -> None:
    page = cut_page(hits(0.9, 0.8), LEAST, offset=4, limit=4)
    assert (page.has_next, page.passed, page.more_below) == (False, 6, False)
