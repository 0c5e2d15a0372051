"""Stored sizes and mtimes, looked up by id or read in one scan."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from clipsearch.images.hashing import image_id
from clipsearch.store import Collection, FileState
from ingest import stat_lookup
from ingest.stat_lookup import StatLookup
from tests.helpers.records import many


def test_without_a_collection_nothing_is_found() -> None:
    assert StatLookup(None).find([image_id(Path("/a.jpg"))]) == {}


@pytest.mark.parametrize("rows_a_lookup", [0, 10**9], ids=["by id", "one scan"])
def test_both_ways_return_the_stored_stats_and_omit_unknown_ids(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, rows_a_lookup: int
) -> None:
    monkeypatch.setattr(stat_lookup, "ROWS_PER_LOOKUP", rows_a_lookup)
    rows = many(300)
    collection.upsert(rows)
    unknown = [hashlib.md5(bytes([n])).hexdigest() for n in range(50)]
    found = StatLookup(collection).find([*unknown, *(row.record.id for row in rows)])
    assert found == {row.record.id: (row.record.size, row.record.mtime_ns) for row in rows}


def test_many_lookups_are_answered_from_one_scan(collection: Collection) -> None:
    rows = many(200)
    collection.upsert(rows)
    looked_up: list[str] = []

    class Counting(Collection):
        def file_states(self, ids: Sequence[str]) -> dict[str, FileState]:
            looked_up.extend(ids)
            return super().file_states(ids)

    collection.__class__ = Counting
    lookup = StatLookup(collection)
    for row in rows:
        assert lookup.find([row.record.id]) == {
            row.record.id: (row.record.size, row.record.mtime_ns)
        }
    assert 0 < len(looked_up) <= len(rows) / stat_lookup.ROWS_PER_LOOKUP
