"""Copying rows between collections: exact, resumable, verified."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest

from clipsearch.batching import batches
from clipsearch.errors import RefusedRowsError
from clipsearch.store import Collection, Store
from clipsearch.store.schema import EMBEDDING, to_entity
from clipsearch.transfer import copy_rows as copying
from clipsearch.transfer.copy_rows import CopyReport, copy_rows, id_ranges
from clipsearch.types import ImageRow
from tests.helpers.full_rows import contents, full_rows
from tests.helpers.records import MODEL, old_schema

ROWS = full_rows(600)


@pytest.fixture
def source(source_store: Store) -> Collection:
    collection = source_store.create("images", MODEL)
    collection.upsert(ROWS)
    collection.finish_writes()
    return collection


@pytest.fixture
def target(target_store: Store) -> Collection:
    return target_store.create("images", MODEL)


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ranges and many batches, as of a large collection."""
    monkeypatch.setattr(copying, "RANGE_ROWS", 100)
    monkeypatch.setattr(copying, "BATCH_BYTES", 37 * 16)


@pytest.mark.usefixtures("small_ranges")
def test_a_copy_has_the_same_rows_bit_for_bit(source: Collection, target: Collection) -> None:
    copied = copy_rows(source, target)
    assert copied == CopyReport(
        600, sent=600, extra=0, deleted=0, damaged=0, refused=0, is_complete=True
    )
    assert contents(target) == contents(source)
    assert target.info.rows == 600


def test_the_ranges_hold_every_id_once() -> None:
    for rows in (0, 1, copying.RANGE_ROWS, 10**6):
        ranges = list(id_ranges(rows, copying.RANGE_ROWS))
        assert ranges[0][0] == 0
        assert ranges[-1][1] == 16**32
        assert all(high == low for (_, high), (low, _) in pairwise(ranges))


@pytest.mark.usefixtures("small_ranges")
def test_a_second_copy_sends_only_what_differs(source: Collection, target: Collection) -> None:
    copy_rows(source, target)
    changed = ImageRow(replace(ROWS[7].record, tags=("new",)), ROWS[7].embedding)
    turned = ImageRow(ROWS[8].record, -ROWS[8].embedding)
    source.upsert([changed, turned])
    target.delete([ROWS[9].record.id])
    assert copy_rows(source, target).sent == 3
    assert contents(target) == contents(source)


@pytest.mark.usefixtures("small_ranges")
def test_rows_that_only_the_target_has_stay_unless_they_shall_go(
    source: Collection, target: Collection
) -> None:
    copy_rows(source, target)
    source.delete([row.record.id for row in ROWS[:5]])
    copied = copy_rows(source, target)
    assert (copied.rows, copied.extra, copied.deleted) == (595, 5, 0)
    assert target.count() == 600
    copied = copy_rows(source, target, delete=True)
    assert (copied.rows, copied.extra, copied.deleted) == (595, 0, 5)
    assert copied.is_complete
    assert contents(target) == contents(source)


@pytest.mark.usefixtures("small_ranges")
def test_an_interrupted_copy_goes_on_where_it_was(
    source: Collection, target: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsert = target.upsert
    calls = iter(range(5))

    def interrupted(rows: Sequence[ImageRow]) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        upsert(rows)

    monkeypatch.setattr(target, "upsert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy_rows(source, target)
    present = target.count()
    assert 0 < present < 600
    monkeypatch.setattr(target, "upsert", upsert)
    assert copy_rows(source, target).sent == 600 - present
    assert contents(target) == contents(source)


@pytest.mark.usefixtures("small_ranges")
def test_rows_that_are_written_to_the_source_meanwhile_are_copied_too(
    source: Collection, target: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = iter(batches(full_rows(700, seed=3)[600:], 50))
    upsert = target.upsert

    def upsert_and_change(rows: Sequence[ImageRow]) -> None:
        upsert(rows)
        for batch in islice(late, 1):
            source.upsert(batch)
            source.delete([ROWS[0].record.id])

    monkeypatch.setattr(target, "upsert", upsert_and_change)
    copied = copy_rows(source, target)
    assert copied.is_complete
    assert contents(source).items() <= contents(target).items()
    assert copied.rows == source.count()


def test_a_source_that_never_rests_is_reported(
    source: Collection, target: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = iter(full_rows(650, seed=3)[600:])
    upsert = target.upsert

    def upsert_and_change(rows: Sequence[ImageRow]) -> None:
        upsert(rows)
        source.upsert([next(late)])

    monkeypatch.setattr(target, "upsert", upsert_and_change)
    assert not copy_rows(source, target).is_complete


def test_a_damaged_row_of_the_source_is_left_out_and_counted(
    source_store: Store, source: Collection, target: Collection
) -> None:
    entity = to_entity(ROWS[3], source.info.schema_version)
    entity[EMBEDDING] = np.array([0, 1, 0, 0], dtype=np.float32)
    source_store.backend.upsert("images", [entity])
    copied = copy_rows(source, target)
    assert (copied.rows, copied.damaged, copied.is_complete) == (600, 1, True)
    assert ROWS[3].record.id not in contents(target)


def test_a_damaged_row_of_the_target_is_replaced(
    target_store: Store, source: Collection, target: Collection
) -> None:
    copy_rows(source, target)
    entity = to_entity(ROWS[3], target.info.schema_version)
    entity[EMBEDDING] = np.array([0, 1, 0, 0], dtype=np.float32)  # its checksum stays
    target_store.backend.upsert("images", [entity])
    assert copy_rows(source, target, compare_all=True).sent == 1
    assert contents(target) == contents(source)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_collection_of_an_older_version_gets_the_new_fields(
    source_store: Store, target: Collection, version: int
) -> None:
    with old_schema(version=version):
        source = source_store.create("old", MODEL)
    source.upsert(
        [
            ImageRow(
                replace(row.record, tags=row.record.tags if version > 1 else (), metadata={}),
                row.embedding,
            )
            for row in ROWS
        ]
    )
    assert copy_rows(source, target).sent == 600
    assert copy_rows(source, target).sent == 0
    stored = contents(target)
    for row in source.scan_rows():
        assert stored[row.record.id][:2] == (row.record, row.embedding.tobytes())


@pytest.mark.usefixtures("small_ranges")
def test_a_row_that_the_target_refuses_harms_no_other(
    source: Collection, target: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsert, bad = target.upsert, ROWS[3].record.id

    def refuse(rows: Sequence[ImageRow]) -> None:
        if any(row.record.id == bad for row in rows):
            raise RefusedRowsError("too many tags")
        upsert(rows)

    monkeypatch.setattr(target, "upsert", refuse)
    copied = copy_rows(source, target)
    assert (copied.sent, copied.refused, copied.is_complete) == (599, 1, True)
    assert contents(source).keys() - contents(target).keys() == {bad}
