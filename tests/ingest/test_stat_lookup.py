"""What the collection knows of files, looked up one by one or read at once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from clipsearch.images.hashing import image_id
from clipsearch.store import Collection, FileState
from ingest import stat_lookup
from ingest.stat_lookup import StatLookup
from tests.helpers.records import many


def test_a_collection_that_is_not_there_knows_nothing() -> None:
    assert StatLookup(None).find([image_id(Path("/a.jpg"))]) == {}


@pytest.mark.parametrize("rows_a_lookup", [0, 10**9], ids=["file by file", "all at once"])
def test_both_ways_give_the_stored_stamps_and_leave_out_strangers(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, rows_a_lookup: int
) -> None:
    monkeypatch.setattr(stat_lookup, "ROWS_PER_LOOKUP", rows_a_lookup)
    rows = many(300)
    collection.upsert(rows)
    strangers = [hashlib.md5(bytes([n])).hexdigest() for n in range(50)]
    found = StatLookup(collection).find([*strangers, *(row.record.id for row in rows)])
    assert found == {row.record.id: (row.record.size, row.record.mtime_ns) for row in rows}


def test_many_questions_are_answered_from_one_reading(collection: Collection) -> None:
    rows = many(200)
    collection.upsert(rows)
    asked: list[str] = []

    class Counting(Collection):
        def file_states(self, ids: Sequence[str]) -> dict[str, FileState]:
            asked.extend(ids)
            return super().file_states(ids)

    collection.__class__ = Counting
    known = StatLookup(collection)
    for row in rows:
        assert known.find([row.record.id]) == {
            row.record.id: (row.record.size, row.record.mtime_ns)
        }
    assert 0 < len(asked) <= len(rows) / stat_lookup.ROWS_PER_LOOKUP
