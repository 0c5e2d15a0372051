"""Rows are counted when they are written, and written before the rows that they replace go."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipsearch.errors import RefusedRowsError, StoreError
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


def refuse(collection: Collection, monkeypatch: pytest.MonkeyPatch, ids: set[str]) -> list[int]:
    """Make the collection refuse these rows; return the sizes of its writes, which grow."""
    upsert, sizes = collection.upsert, []

    def checking(rows: Sequence[ImageRow]) -> None:
        sizes.append(len(rows))
        if any(row.record.id in ids for row in rows):
            raise RefusedRowsError("out of range")
        upsert(rows)

    monkeypatch.setattr(collection, "upsert", checking)
    return sizes


def test_a_refused_row_is_named_and_the_others_are_written(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = many(40)
    bad = {rows[7].record.id, rows[30].record.id}
    sizes = refuse(collection, monkeypatch, bad)
    tally = Tally()
    writer = Writer(collection, tally, 40)
    for row in rows:
        writer.add(row, "stored")
    assert tally.outcomes == {"stored": 38}
    assert {failure.path for failure in tally.failed} == {rows[7].record.path, rows[30].record.path}
    assert "out of range" in tally.failed[0].reason
    assert {record.id for record in collection.scan()} == {r.record.id for r in rows} - bad
    assert len(sizes) < 30  # halves, not single rows


def test_a_refused_row_does_not_delete_the_row_that_it_would_replace(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, other = many(3)
    collection.upsert([old])
    refuse(collection, monkeypatch, {new.record.id})
    writer = Writer(collection, Tally(), 10)
    writer.add(new, "moved", replaces=old.record.id)
    writer.add(other, "stored")
    writer.flush()
    assert {record.id for record in collection.scan()} == {old.record.id, other.record.id}


def test_a_store_that_refuses_every_row_stops_the_ingestion(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = many(40)
    sizes = refuse(collection, monkeypatch, {row.record.id for row in rows})
    tally = Tally()
    writer = Writer(collection, tally, 100)
    for row in rows:
        writer.add(row, "stored")
    with pytest.raises(RefusedRowsError):
        writer.flush()
    assert not tally.failed
    assert not tally.outcomes
    assert len(sizes) < 15


@pytest.mark.parametrize(
    "change",
    [
        {"size": 2**63},
        {"mtime_ns": -(2**63) - 1},
        {"width": "wide"},
        {"content_hash": "\ud800"},
        {"path": Path("relative.jpg")},
    ],
)
def test_the_store_refuses_values_that_do_not_fit(
    collection: Collection, change: dict[str, Any]
) -> None:
    good, bad = many(2)
    bad = replace(bad, record=replace(bad.record, **change))
    with pytest.raises(RefusedRowsError):
        collection.upsert([good, bad])
    assert collection.count() == 0
