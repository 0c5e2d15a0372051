"""Scans of large local collections: in pages of ids, or with the tags apart."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.daemon.endpoint import is_supported
from clipsearch.session import daemon_of, open_store
from clipsearch.store import Collection, filters, paging
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.store.schema import MAX_TAGS, Entity, to_image_row
from clipsearch.types import ImageRow
from tests.helpers.daemons import serving
from tests.helpers.full_rows import full_rows
from tests.helpers.records import MODEL, many

pytestmark = pytest.mark.skipif(native_library() is None, reason="for the native Milvus Lite only")

CONDITIONS = ("", 'tags[0] == "a"', "size >= 30", 'array_contains(tags, "")', 'path like "%7.jpg"')


@pytest.fixture(scope="module", params=["lite", "daemon"])
def images(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collection]:
    if request.param == "daemon" and not is_supported():
        pytest.skip("a daemon needs Unix sockets")
    path = tmp_path_factory.mktemp("store") / "photos.db"
    with serving(path) if request.param == "daemon" else nullcontext(), open_store(path) as store:
        assert (daemon_of(store) is not None) == (request.param == "daemon")
        yield store.create("photos", MODEL)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "UNTAGGED_ROWS", 16)
    monkeypatch.setattr(paging, "LOCAL_TAGGED_ROWS", 5)
    monkeypatch.setattr(paging, "LOCAL_TAGGED_KEYS", 5)


def write(images: Collection, rows: list[ImageRow]) -> None:
    """Make these rows the whole content."""
    images.delete([record.id for record in images.scan()])
    images.upsert(rows)


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.lists(st.sampled_from(["a", "", " ", "é 图", "'\"\\", "x" * 300]), max_size=MAX_TAGS),
        min_size=40,
        max_size=60,
    )
)
def test_a_scan_equals_one_that_reads_all_fields_at_once(
    images: Collection, tags: list[list[str]]
) -> None:
    rows = [
        replace(row, record=replace(row.record, tags=tuple(labels)))
        for row, labels in zip(many(len(tags)), tags, strict=True)
    ]
    write(images, rows)
    for condition in CONDITIONS:
        entities = images._scanner.read_range(condition, images._all_fields, vectors=True)
        expected = {entity["id"]: to_image_row(entity) for entity in entities}
        found = list(images.scan(condition))
        assert len(found) == len(expected)
        assert {r.id: r for r in found} == {i: row.record for i, row in expected.items()}
        found_rows = list(images.scan_rows(condition))
        assert len(found_rows) == len(expected)
        for row in found_rows:
            assert row.record == expected[row.record.id].record
            assert np.array_equal(row.embedding, expected[row.record.id].embedding)
    assert sorted(map(list, images.scan_field("tags"))) == sorted(tags)


def test_a_scan_reads_every_field(images: Collection) -> None:
    rows = full_rows(100)
    write(images, rows)
    assert {r.id: r for r in images.scan()} == {r.record.id: r.record for r in rows}
    found = images.scan(filters.has_tag("tag 3 ü"))
    assert {r.id for r in found} == {r.record.id for r in rows if len(r.record.tags) == 4}


@pytest.mark.parametrize("before", [(), ("old", "tag")])
@pytest.mark.parametrize("after", [(), ("new",)])
def test_rows_that_change_during_a_scan_are_old_or_new_as_a_whole(
    images: Collection,
    monkeypatch: pytest.MonkeyPatch,
    before: tuple[str, ...],
    after: tuple[str, ...],
) -> None:
    old = [replace(r, record=replace(r.record, tags=before)) for r in many(40)]
    new = [replace(r, record=replace(r.record, tags=after, width=7)) for r in many(40)]
    states = {r.record.id: {r.record} for r in old}
    for row in new:
        states[row.record.id].add(row.record)
    backend = images._backend
    read = backend.query
    for moment in count():
        write(images, old)
        calls = count()

        def query(
            name: str,
            condition: str,
            fields: list[str],
            limit: int,
            moment: int = moment,
            calls: Iterator[int] = calls,
        ) -> list[Entity]:
            if next(calls) == moment:
                images.upsert(new)
            return read(name, condition, fields, limit)

        with monkeypatch.context() as patch:
            patch.setattr(backend, "query", query)
            found = list(images.scan())
        assert sorted(r.id for r in found) == sorted(states)
        assert all(record in states[record.id] for record in found)
        if next(calls) <= moment:
            break
    assert moment > 6
