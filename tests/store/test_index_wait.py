"""Waiting until a server's index covers what was written."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.store import Store
from clipsearch.store.backend import Backend
from clipsearch.store.index import wait as index_wait
from clipsearch.store.index.coverage import SCANNED_ROWS, IndexCoverage, _coverage
from clipsearch.store.index.wait import wait_for_index
from tests.helpers.records import MODEL, many


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_wait, "POLL_SECONDS", 0.0)


@dataclass
class Server:
    """A backend that answers with one coverage after the other, the last one again and again."""

    coverages: list[IndexCoverage]

    def index_coverage(self, name: str) -> IndexCoverage:
        assert name == "images"
        return self.coverages.pop(0) if len(self.coverages) > 1 else self.coverages[0]


def wait(*coverages: IndexCoverage, seconds: float = 60) -> tuple[int, list[tuple[int, int]]]:
    shown: list[tuple[int, int]] = []
    server = cast("Backend", Server(list(coverages)))
    pending = wait_for_index(server, "images", lambda *at: shown.append(at), seconds=seconds)
    return pending, shown


def test_nothing_to_wait_for() -> None:
    assert wait(IndexCoverage()) == (0, [(0, 0)])


def test_it_waits_for_each_segment() -> None:
    rows = {1: 5_000, 2: 3_000}
    assert wait(
        IndexCoverage(rows),
        IndexCoverage(rows, frozenset({2})),
        IndexCoverage(rows, frozenset({1, 2})),
    ) == (0, [(0, 8_000), (3_000, 8_000), (8_000, 8_000)])


def test_a_compaction_needs_no_second_index() -> None:
    """Its segments replace the first ones while those are in use."""
    assert wait(IndexCoverage({1: 5_000}), IndexCoverage({7: 5_000}, frozenset({1})))[0] == 0


def test_segments_that_a_compaction_replaced_before_they_had_an_index() -> None:
    assert wait(IndexCoverage({1: 5_000}), IndexCoverage({7: 5_000}, frozenset({7})))[0] == 0


def test_it_gives_up_at_last() -> None:
    assert wait(IndexCoverage({1: 5_000, 2: 10}, frozenset({2})), seconds=0)[0] == 5_000


@given(
    st.dictionaries(st.integers(0, 9), st.integers(1, 3 * SCANNED_ROWS)),
    st.sets(st.integers(0, 9)),
    st.sets(st.integers(0, 9)),
    st.booleans(),
)
def test_a_segment_is_covered_if_its_index_is_in_use_or_its_scan_is_exact(
    rows: dict[int, int], loaded: set[int], indexed: set[int], is_flat: bool
) -> None:
    coverage = _coverage(
        [_segment(number, count) for number, count in rows.items()],
        [_segment(number, 1, index="e" if number in indexed else "") for number in loaded],
        is_flat=is_flat,
    )
    pending = {
        number
        for number, count in rows.items()
        if count >= SCANNED_ROWS and not (number in loaded and (is_flat or number in indexed))
    }
    assert coverage.pending(rows) == sum(rows[number] for number in pending)


def test_segments_that_still_grow_are_of_later_writes() -> None:
    growing = SimpleNamespace(segment_id=3, num_rows=9_000, state_name="Growing")
    assert _coverage([growing], [], is_flat=False).rows == {}


def _segment(number: int, rows: int, *, index: str = "") -> Any:
    return SimpleNamespace(segment_id=number, num_rows=rows, state_name="Flushed", index_name=index)


@pytest.fixture
def server_store(milvus_server: str) -> Iterator[Store]:
    with Store.open(milvus_server) as store:
        yield store


def test_a_server_covers_all_rows_in_the_end(
    server_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_wait, "POLL_SECONDS", 0.2)
    images = server_store.create(f"test_{uuid4().hex}", MODEL)
    try:
        images.upsert(many(4_000))
        images.finish_writes()
        assert wait_for_index(server_store.backend, images.info.milvus_name, seconds=120) == 0
        coverage = server_store.backend.index_coverage(images.info.milvus_name)
        assert sum(coverage.rows.values()) == 4_000
        [hits] = images.search(np.array([1, 0, 0, 0], np.float32), limit=4_000)
        assert len(hits) == 4_000
    finally:
        server_store.drop(images.info.name)
