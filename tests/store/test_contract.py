"""The behavior of collections on Milvus Lite, on a real server, and through a daemon."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from itertools import count, islice
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from clipsearch.daemon.endpoint import is_supported
from clipsearch.errors import (
    MissingCollectionError,
    StoreError,
    UsageError,
    VectorError,
)
from clipsearch.images.hashing import image_id
from clipsearch.session import daemon_of, open_store
from clipsearch.store import Collection, FileState, Store, filters
from clipsearch.store.paging import LOCAL_TAGGED_ROWS
from clipsearch.store.schema import SCHEMA_VERSION, Entity, image_schema, to_entity
from clipsearch.types import Failure, ImageRow
from tests.helpers.daemons import serving
from tests.helpers.records import DIM, MODEL, many, row

MANY = many(5_000)
_numbers = count()


@pytest.fixture(scope="module", params=["lite", "server", "daemon"])
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    if request.param == "server":
        yield str(request.getfixturevalue("milvus_server"))
        return
    if request.param == "daemon" and not is_supported():
        pytest.skip("a daemon needs Unix sockets")
    path = tmp_path_factory.mktemp("store") / "photos.db"
    with serving(path) if request.param == "daemon" else nullcontext():
        yield str(path)


@pytest.fixture(scope="module")
def store(address: str) -> Iterator[Store]:
    """A store; the collections of this run are dropped at the end."""
    with open_store(address) as opened:
        through_daemon = daemon_of(opened) is not None
        yield opened
        assert (daemon_of(opened) is not None) == through_daemon  # no fallback
        for info in opened.collections():
            if info.name.startswith(RUN):
                opened.drop(info.name)


RUN = f"test_{uuid4().hex[:12]}"


@pytest.fixture
def name(store: Store) -> Iterator[str]:
    """A name that no other test and no other run has."""
    name = f"{RUN}_{next(_numbers)}"
    yield name
    if name in [info.name for info in store.collections()]:
        store.drop(name)  # a server needs time for every collection that is loaded


@pytest.fixture(scope="module")
def reused(store: Store) -> Collection:
    return store.create(f"{RUN}_reused", MODEL)


@pytest.fixture
def images(reused: Collection) -> Collection:
    """An empty collection, reused since a server needs seconds to create one."""
    reused.delete([record.id for record in reused.scan()])
    reused.remove_failures([failure.path for failure in reused.failures()])
    reused.remove_roots(reused.info.roots)
    reused.finish_writes()
    return reused


@pytest.fixture
def own(store: Store, name: str) -> Collection:
    """An empty collection that the test may drop or damage."""
    return store.create(name, MODEL)


@pytest.fixture(scope="module")
def full(store: Store) -> Collection:
    """MANY rows, which tests only read."""
    collection = store.create(f"{RUN}_full", MODEL)
    collection.upsert(MANY)
    return collection


def test_scores_are_the_same_from_milvus_and_from_cached_vectors(full: Collection) -> None:
    queries = np.stack([MANY[3].embedding, 5 * MANY[4].embedding])
    for where, most in (("size < 700", 900), ("size < 700", 30), ("", 3_000), ("size < 0", 9)):
        asked = full.search(queries, limit=most, condition=where)
        for _ in range(3):
            for scores, hits in zip(
                full.scores(queries, limit=most, condition=where), asked, strict=True
            ):
                assert scores.dtype == np.float32
                np.testing.assert_allclose(scores, [hit.score for hit in hits], atol=1e-5)


def test_scores_include_new_rows(images: Collection) -> None:
    query = np.array([1, 0, 0, 0], np.float32)
    for number in (1, 2, 3):
        images.upsert([row(f"/a/{number}.jpg", (1, number, 0, 0))])
        for _ in range(3):
            [scores] = images.scores(query, limit=10)
            assert len(scores) == number


def test_a_recent_count_includes_our_own_writes(images: Collection) -> None:
    for number in (1, 2, 3):
        images.upsert([row(f"/a/{number}.jpg", (1, number, 0, 0))])
        assert images.recent_count() == number
    images.delete([image_id(Path("/a/1.jpg"))])
    assert images.recent_count() == 2


def test_a_row_comes_back_as_it_went_in(images: Collection) -> None:
    rows = [
        row("/a/dated.jpg", (1, 2, 3, 4), taken_at=datetime(2023, 5, 6, 7, 8, 9)),
        row("/a/undated.png", (4, 3, 2, 1), format="png", size=2**40, mtime_ns=-1),
        row("/a/old.tiff", (0, 1, 0, -1), format="tiff", taken_at=datetime(1, 1, 1)),
    ]
    images.upsert(rows)
    back = images.get([r.record.id for r in rows])
    assert [back[r.record.id].record for r in rows] == [r.record for r in rows]
    for r in rows:
        np.testing.assert_array_equal(back[r.record.id].embedding, r.embedding)
        assert back[r.record.id].embedding.dtype == np.float32


def test_writing_a_row_again_replaces_it(images: Collection) -> None:
    images.upsert([row("/a.jpg", size=1), row("/b.jpg", size=1)])
    images.upsert([row("/a.jpg", size=2)])
    assert images.count() == 2
    assert images.file_states([image_id(Path("/a.jpg"))]) == {
        image_id(Path("/a.jpg")): FileState(2, 1_700_000_000_000_000_000, "hash")
    }


def test_of_two_rows_with_one_id_the_last_wins(images: Collection) -> None:
    images.upsert([row("/a.jpg", size=1), row("/a.jpg", size=2)])
    assert [record.size for record in images.scan()] == [2]


def test_writing_nothing_is_fine(images: Collection) -> None:
    images.upsert([])
    images.delete([])
    images.finish_writes()
    assert images.count() == 0
    assert (images.get([]), images.file_states([]), images.find_by_content([])) == ({}, {}, {})
    assert list(images.scan()) == []
    assert images.search(MANY[0].embedding, limit=3) == [[]]


def test_file_states_of_many_ids_leave_out_unknown_ids(full: Collection) -> None:
    ids = [r.record.id for r in MANY]
    states = full.file_states([*ids, image_id(Path("/unknown.jpg"))])
    assert states.keys() == set(ids)
    assert all(states[r.record.id].size == r.record.size for r in MANY)


def test_images_are_found_by_content(full: Collection) -> None:
    found = full.find_by_content(["hash 3", "hash 4", "no such hash"])
    assert {k: sorted(p.size for p in v) for k, v in found.items()} == {
        "hash 3": [6, 7],
        "hash 4": [8, 9],
    }


def test_a_scan_gives_every_row_once(full: Collection) -> None:
    assert sorted(record.size for record in full.scan()) == list(range(len(MANY)))
    few = sorted(record.size for record in full.scan(filters.at_most("size", 41)))
    assert few == list(range(42))


def test_a_scan_gives_every_row_once_in_small_pages(
    full: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.store.paging.PAGE_BYTES", 4 * DIM * 900)
    rows = list(full.scan_rows())  # 714 a page
    found = {r.record.id: r.embedding for r in rows}
    assert len(found) == len(rows) == len(MANY)
    for r in MANY[::97]:
        np.testing.assert_array_equal(found[r.record.id], r.embedding)


def test_a_scan_gives_every_row_once_where_ids_are_uneven(
    images: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        ImageRow(replace(r.record, id=f"{n:02x}".ljust(32, "0")), r.embedding)
        for n, r in enumerate(MANY[:90])
    ]
    images.upsert(rows)
    monkeypatch.setattr("clipsearch.store.paging.PAGE_BYTES", 4 * DIM * 80)
    assert sorted(r.record.id for r in images.scan_rows()) == [r.record.id for r in rows]


def test_tags_of_a_local_store_are_read_in_small_pages(
    images: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, pages = images._backend, []
    read = backend.query

    def query(name: str, condition: str, fields: list[str], limit: int) -> list[Entity]:
        pages.append(limit)
        return read(name, condition, fields, limit)

    images.upsert([replace(r, record=replace(r.record, tags=("cat",))) for r in MANY[:700]])
    monkeypatch.setattr(backend, "query", query)
    assert list(map(list, images.scan_field("tags"))) == [["cat"]] * 700
    assert [r.tags for r in images.scan()] == [("cat",)] * 700
    if backend.path is not None:  # Milvus Lite takes 48 s for 20,000 rows in pages of 16,384
        assert max(pages) <= LOCAL_TAGGED_ROWS


def test_rows_may_be_deleted_during_a_scan(images: Collection) -> None:
    images.upsert(MANY[:300])
    for record in islice(images.scan(), 20):
        images.delete([record.id])
    assert images.count() == 280


def test_deleted_rows_are_gone(images: Collection) -> None:
    images.upsert(MANY[:10])
    images.delete([r.record.id for r in MANY[:4]] + [image_id(Path("/unknown.jpg"))])
    assert images.count() == 6
    assert not images.get([MANY[0].record.id])
    assert images.search(MANY[0].embedding, limit=10)[0][0].id != MANY[0].record.id


def test_search_finds_what_exact_arithmetic_finds(full: Collection) -> None:
    queries = np.stack([r.embedding for r in many(5, seed=1)])
    cosines = queries @ np.stack([r.embedding for r in MANY]).T
    hits = full.search(queries, limit=10)
    for expected, found in zip(cosines, hits, strict=True):
        best = np.argsort(-expected)[:10]
        assert [hit.record for hit in found] == [MANY[i].record for i in best]
        np.testing.assert_allclose([hit.score for hit in found], expected[best], atol=1e-5)


def test_search_finds_the_row_just_written(images: Collection) -> None:
    for n in range(5):
        images.upsert([row(f"/{n}.jpg", np.eye(DIM)[n % DIM] + n / 100)])
        assert images.count() == n + 1
        assert len(images.search(np.ones(DIM, dtype=np.float32), limit=10)[0]) == n + 1


def test_pages_of_a_search_join_to_the_search(full: Collection) -> None:
    query = MANY[7].embedding
    complete = full.search(query, limit=30)[0]
    pages = [full.search(query, limit=10, offset=start)[0] for start in (0, 10, 20)]
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in complete]


def test_scores_are_those_of_the_search(full: Collection) -> None:
    queries = np.stack([r.embedding for r in MANY[:3]])
    where = filters.at_least("size", 100)
    hits = full.search(queries, limit=50, condition=where)
    scores = full.scores(queries, limit=50, condition=where)
    assert [s.dtype for s in scores] == [np.float32] * 3
    for found, only in zip(hits, scores, strict=True):
        np.testing.assert_allclose([hit.score for hit in found], only, atol=1e-6)


@pytest.mark.parametrize("offset", [0, 90])  # the first pages are searched in another way
def test_a_search_also_returns_the_embeddings_of_its_hits(full: Collection, offset: int) -> None:
    embeddings: dict[str, np.ndarray] = {}
    queries = np.stack([r.embedding for r in MANY[:2]])
    found = full.search(queries, limit=5, offset=offset, embeddings=embeddings)
    assert found == full.search(queries, limit=5, offset=offset)
    assert set(embeddings) == {hit.id for hits in found for hit in hits}
    stored = {each.record.id: each.embedding for each in MANY}
    for id_, embedding in embeddings.items():
        assert embedding.dtype == np.float32
        np.testing.assert_array_equal(embedding, stored[id_])


def test_many_queries_are_split_and_stay_in_order(
    full: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.store.vector_search.HITS", 8)
    hits = full.search(np.stack([r.embedding for r in MANY[:7]]), limit=3)
    assert [found[0].id for found in hits] == [r.record.id for r in MANY[:7]]


def test_the_largest_search_returns_all_rows(full: Collection) -> None:
    assert len(full.search(MANY[0].embedding, limit=16_384)[0]) == len(MANY)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (1, -1), (16_385, 0), (10, 16_375)])
def test_an_impossible_limit_is_refused(full: Collection, limit: int, offset: int) -> None:
    with pytest.raises(UsageError, match="limit"):
        full.search(MANY[0].embedding, limit=limit, offset=offset)


@pytest.mark.parametrize(
    "query", [[1, 0], [0] * DIM, [np.nan] * DIM, [[[1.0] * DIM]]], ids=["dim", "0", "nan", "3d"]
)
def test_an_invalid_query_vector_is_refused(full: Collection, query: list[float]) -> None:
    with pytest.raises(VectorError):
        full.search(np.asarray(query, dtype=np.float32), limit=1)


@pytest.mark.parametrize(
    "embedding",
    [[1, 0], [0] * DIM, [np.nan] * DIM, [np.inf, 0, 0, 0], [1, 1, 0, 0]],
    ids=["dim", "zero", "nan", "inf", "long"],
)
def test_a_bad_embedding_is_refused_before_anything_is_written(
    full: Collection, embedding: list[float]
) -> None:
    bad = replace(row("/new.jpg"), embedding=np.asarray(embedding, dtype=np.float32))
    with pytest.raises(VectorError, match=r"/new\.jpg"):
        full.upsert([row("/good.jpg"), bad])
    with pytest.raises(VectorError, match="float64"):
        full.upsert([replace(bad, embedding=np.eye(DIM)[0])])
    assert full.count() == len(MANY)


def test_a_field_that_does_not_fit_is_refused(images: Collection) -> None:
    long = Path("/" + "/".join(["x" * 200] * 100))
    with pytest.raises(StoreError, match="too long"):
        images.upsert([row(long)])
    with pytest.raises(StoreError, match="not an absolute path"):
        images.upsert([row("here.jpg")])
    with pytest.raises(StoreError, match="hex digits"):
        images.upsert([ImageRow(replace(MANY[0].record, id="7"), MANY[0].embedding)])


@pytest.mark.parametrize(
    "where", ["size >", "path like 3", "nothing == 3", 'size == "x"', "((", "size + 1"]
)
def test_a_malformed_filter_is_the_callers_mistake_and_harms_nothing(
    full: Collection, where: str
) -> None:
    for read in (
        lambda: full.search(MANY[0].embedding, limit=3, condition=where),
        lambda: full.count(where),
        lambda: list(full.scan(where)),
    ):
        with pytest.raises(UsageError) as raised:
            read()
        assert where in str(raised.value)
        assert "\n" not in str(raised.value)
    assert full.count() == len(MANY)


def test_the_catalog_describes_the_collection(store: Store, images: Collection) -> None:
    name = images.info.name
    images.upsert(MANY[:7])
    images.add_roots([Path("/b"), Path("/a")])
    images.add_roots([Path("/a")])
    images.finish_writes()
    again = store.collection(name)
    assert again.info == images.info
    assert again.info.model == MODEL
    assert again.info.rows == 7
    assert again.info.roots == (Path("/a"), Path("/b"))
    assert datetime.fromisoformat(again.info.created_at).tzinfo is not None
    assert again.info in store.collections()
    images.remove_roots([Path("/a"), Path("/never")])
    assert [images.info.roots, store.collection(name).info.roots] == [(Path("/b"),)] * 2


def test_failures_are_stored_once_per_path(images: Collection) -> None:
    odd = Path("/odd\n\udcff.jpg")
    images.add_failures([Failure(Path("/b.jpg"), "truncated"), Failure(odd, "not an image")])
    images.add_failures([Failure(Path("/b.jpg"), "empty " * 1000)])
    images.remove_failures([Path("/never.jpg")])
    assert [failure.path for failure in images.failures()] == [Path("/b.jpg"), odd]
    assert images.failures()[0].reason.startswith("empty ")
    images.remove_failures([odd])
    assert [failure.path for failure in images.failures()] == [Path("/b.jpg")]


def test_thousands_of_failures_are_stored(images: Collection) -> None:
    failures = [Failure(Path(f"/{n:05}.jpg"), "empty") for n in range(2_500)]
    images.add_failures(failures)
    assert images.failures() == failures


def test_the_row_count_is_a_lower_bound_at_every_moment(images: Collection, store: Store) -> None:
    name = images.info.name
    images.upsert(MANY[:100])
    images.finish_writes()
    assert store.collection(name).info.rows == 100
    images.upsert(MANY[50:150])
    assert store.collection(name).info.rows <= 150
    images.delete([r.record.id for r in MANY[:30]])
    assert store.collection(name).info.rows <= 120
    images.finish_writes()
    assert store.collection(name).info.rows == 120


def test_finishing_flushes_what_was_written_before_a_deletion(
    images: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(images._backend, "flush", flushed.append)
    images.upsert(MANY[:10])
    images.delete([MANY[0].record.id])
    images.finish_writes()
    assert flushed == [images.info.name]
    images.delete([MANY[1].record.id])
    images.finish_writes()
    # A flush of a local store checks that its file is still there.
    assert len(flushed) == (1 if images._backend.path is None else 2)


def test_the_error_of_a_missing_collection_names_the_others(
    store: Store, images: Collection
) -> None:
    with pytest.raises(MissingCollectionError, match=images.info.name):
        store.collection(f"{RUN}_missing")
    with pytest.raises(MissingCollectionError):
        store.drop(f"{RUN}_missing")
    assert store.find(f"{RUN}_missing") is None


def test_a_collection_is_created_once(store: Store, own: Collection, name: str) -> None:
    with pytest.raises(StoreError, match="exists"):
        store.create(name, MODEL)


def test_a_dropped_collection_leaves_nothing(store: Store, own: Collection, name: str) -> None:
    own.upsert(MANY[:10])
    own.add_roots([Path("/a")])
    own.add_failures([Failure(Path("/a/b.jpg"), "empty")])
    own.finish_writes()
    store.drop(name)
    assert name not in [info.name for info in store.collections()]
    fresh = store.create(name, replace(MODEL, dim=8))
    assert fresh.count() == fresh.info.rows == 0
    assert fresh.failures() == []
    assert fresh.info.roots == ()
    assert fresh.info.model.dim == 8


@pytest.mark.parametrize("bad", ["", "a-b", "1a", "a b", "ä", "x" * 256, "clipsearch_catalog"])
def test_a_name_that_milvus_refuses_is_refused_first(store: Store, bad: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a collection"):
        store.create(bad, MODEL)
    with pytest.raises(UsageError, match="cannot be the name of a collection"):
        store.collection(bad)


def test_a_collection_of_another_program_is_left_alone(store: Store, name: str) -> None:
    store.backend.create(name, image_schema(DIM), "flat")
    store.backend.upsert(name, [to_entity(item, SCHEMA_VERSION) for item in MANY[:3]])
    with pytest.raises(StoreError, match="not made by clipsearch"):
        store.collection(name)
    with pytest.raises(StoreError, match="not made by clipsearch"):
        store.create(name, MODEL)
    with pytest.raises(StoreError, match="not made by clipsearch"):
        store.drop(name)
    assert store.backend.count(name) == 3
    store.backend.drop(name)


def test_a_kill_while_creating_a_collection_does_no_harm(
    store: Store, own: Collection, name: str
) -> None:
    store._catalog.remove(name)  # as if killed before the catalog was written
    assert store.open_or_create(name, MODEL).count() == 0


def test_a_kill_while_dropping_a_collection_does_no_harm(
    store: Store, own: Collection, name: str
) -> None:
    own.upsert(MANY[:3])
    own.finish_writes()
    store._catalog.set_rows(name, 0)
    store.backend.drop(name)  # as if killed before the catalog was written
    assert name not in [info.name for info in store.collections()]
    with pytest.raises(MissingCollectionError):
        store.collection(name)
    store.drop(name)
    assert store.create(name, MODEL).count() == 0


def test_a_collection_of_a_newer_version_is_refused(
    store: Store, own: Collection, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("clipsearch.store.catalog_entry.SCHEMA_VERSION", 0)
        assert store.collections() == []
        for look in (store.find, store.collection, lambda name: store.create(name, MODEL)):
            with pytest.raises(StoreError, match="newer version"):
                look(name)


def test_a_reopened_store_has_everything(address: str, store: Store, name: str) -> None:
    written = store.create(name, MODEL)
    written.upsert(MANY[:50])
    written.finish_writes()
    with Store.open(address, create=False) as second:
        again = second.collection(name)
        assert again.info == written.info
        assert again.search(MANY[3].embedding, limit=1)[0][0].record == MANY[3].record
    assert written.count() == 50  # closing the second one does not close the first


def test_a_row_whose_checksum_is_wrong_is_found_and_not_read(images: Collection) -> None:
    images.upsert(many(5))
    [entity] = [to_entity(item, SCHEMA_VERSION) for item in many(1)]
    images._backend.upsert(images.info.name, [{**entity, "width": 1}])
    assert [(found.keys, found.path) for found in images.scan_damaged()] == [
        ((entity["id"],), Path(entity["path"]))
    ]
    assert len(list(images.scan_rows())) == 4
    assert entity["id"] not in images.get([item.record.id for item in many(5)])
    images.upsert(many(1))
    assert list(images.scan_damaged()) == []
