"""Rows are counted when they are written, and written before the rows that they replace go."""

from collections.abc import Sequence

import pytest

from clipsearch.errors import StoreError
from clipsearch.store import Collection
from clipsearch.types import ImageRow
from ingest.report import Tally
from ingest.writer import Writer
from tests.helpers.records import many


def test_an_outcome_counts_once_its_row_is_written(collection: Collection) -> None:
    tally = Tally()
    writer = Writer(collection, tally, 3)
    for row in many(4):
        writer.add(row, "stored")
    assert tally.outcomes == {"stored": 3}
    assert collection.count() == 3
    writer.flush()
    assert tally.outcomes == {"stored": 4}


def test_rows_of_a_failed_write_are_not_counted_and_written_by_the_next_one(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = Tally()
    writer = Writer(collection, tally, 2)
    rows = many(2)
    writer.add(rows[0], "stored")

    def fail(_: Sequence[ImageRow]) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(collection, "upsert", fail)
        with pytest.raises(StoreError, match="disk full"):
            writer.add(rows[1], "copied")
    assert tally.outcomes == {}
    writer.flush()
    assert tally.outcomes == {"stored": 1, "copied": 1}
    assert collection.count() == 2


def test_a_replaced_row_is_deleted_after_the_new_one_is_written(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = many(2)
    collection.upsert([old])
    counts: list[int] = []
    delete = collection.delete

    def counting(ids: Sequence[str]) -> None:
        counts.append(collection.count())
        delete(ids)

    monkeypatch.setattr(collection, "delete", counting)
    writer = Writer(collection, Tally(), 10)
    writer.add(new, "moved", replaces=old.record.id)
    writer.flush()
    assert counts == [2]
    assert [record.id for record in collection.scan()] == [new.record.id]


def test_a_recent_row_is_found_by_its_content_until_the_store_can_find_it(
    collection: Collection,
) -> None:
    writer = Writer(collection, Tally(), 10)
    (row,) = many(1)
    writer.add(row, "stored")
    writer.forget_written()
    assert writer.recent_row(row.record.content_hash) is row
    writer.flush()
    assert writer.recent_row(row.record.content_hash) is row
    writer.forget_written()
    assert writer.recent_row(row.record.content_hash) is None
