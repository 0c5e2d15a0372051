"""Copying whole collections: rows, folders, failures and probes."""

from pathlib import Path

import pytest

from clipsearch.errors import MissingCollectionError, ModelMismatchError, StoreError, UsageError
from clipsearch.models.base import ModelIdentity
from clipsearch.store import Collection, Store
from clipsearch.store.archive_ledger import ArchiveState
from clipsearch.store.schema import SCHEMA_VERSION
from clipsearch.transfer import copy_rows
from clipsearch.transfer.copy_collection import copy_collections, require_other
from clipsearch.types import FailedState, Failure
from clipsearch.uri import parse_uri
from tests.helpers.full_rows import contents, full_rows
from tests.helpers.records import MODEL, old_schema

ROWS = full_rows(20)
FAILURES = [
    Failure(Path("/a/broken\nname.jpg"), "truncated", "invalid", FailedState(7, 8, "hash")),
    Failure(Path("/a/private.jpg"), "permission denied"),
]
ARCHIVES = {Path("/a/1.tar"): ArchiveState(9, 8, 7, "hash")}
PROBE = {"weights": [0.25, 1e-9], "name": "ü"}
CALIBRATION = "a calibration " * 9_000  # longer than one value of the catalog


def fill(store: Store, name: str = "images") -> Collection:
    collection = store.create(name, MODEL)
    collection.upsert(ROWS)
    collection.add_roots([Path("/a"), Path("/many")], [Path("/mnt/disk \udcff")])
    collection.add_failures(FAILURES)
    collection.set_textness(PROBE)
    collection.calibration.write(CALIBRATION)
    collection.archives.write(ARCHIVES)
    collection.finish_writes()
    return collection


def facts(collection: Collection) -> tuple[object, ...]:
    """What the catalog knows of a collection, and copies and exports keep."""
    info = collection.info
    return (
        info.model,
        info.rows,
        info.roots,
        info.mounts,
        collection.failures(),
        collection.textness(),
        collection.calibration.read(),
    )


def test_all_collections_are_copied_with_all_that_the_catalog_knows(
    source_store: Store, target_store: Store
) -> None:
    for name in ("images", "others"):
        fill(source_store, name)
    copied = list(copy_collections(source_store, target_store))
    assert [(result.name, result.target_name) for result in copied] == [
        ("images", "images"),
        ("others", "others"),
    ]
    for name in ("images", "others"):
        source, target = source_store.collection(name), target_store.collection(name)
        assert contents(target) == contents(source)
        assert facts(target) == facts(source)
        assert target.archives.read() == source.archives.read() == ARCHIVES


def test_one_collection_is_copied_to_another_name_in_the_same_store(source_store: Store) -> None:
    source = fill(source_store)
    list(copy_collections(source_store, source_store, "images", "backup"))
    assert contents(source_store.collection("backup")) == contents(source)


def test_failures_that_were_mended_are_forgotten_in_the_copy(
    source_store: Store, target_store: Store
) -> None:
    source = fill(source_store)
    list(copy_collections(source_store, target_store))
    mended = ROWS[0].record.path
    target_store.collection("images").add_failures([Failure(mended, "was broken")])
    list(copy_collections(source_store, target_store))
    assert target_store.collection("images").failures() == source.failures()


def test_delete_removes_folders_and_failures_that_only_the_target_has(
    source_store: Store, target_store: Store
) -> None:
    source = fill(source_store)
    target = target_store.create("images", MODEL)
    target.add_roots([Path("/old")], [Path("/mnt/old")])
    target.add_failures([Failure(Path("/old/x.jpg"), "truncated")])
    target.archives.write({Path("/old/1.tar"): ArchiveState(9, 8, 7, "hash")})
    target.upsert(full_rows(30)[20:])
    target.finish_writes()
    list(copy_collections(source_store, target_store))
    target = target_store.collection("images")
    assert (target.count(), Path("/old") in target.info.roots) == (30, True)
    list(copy_collections(source_store, target_store, delete=True))
    target = target_store.collection("images")
    assert contents(target) == contents(source)
    assert facts(target) == facts(source)
    assert target.archives.read() == ARCHIVES


def test_archives_are_unknown_to_a_copy_that_lacks_rows(
    source_store: Store, target_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source_store)
    monkeypatch.setattr(copy_rows, "write_rows", lambda _, rows: {rows[0].record.id: "refused"})
    [copied] = copy_collections(source_store, target_store)
    assert copied.rows.refused
    assert target_store.collection("images").archives.read() == {}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ModelIdentity("other", 4, "w", "mean color"), "made by other"),
        (ModelIdentity(MODEL.name, 4, "w", MODEL.preprocessing), "other weights"),
        (ModelIdentity(MODEL.name, 8, MODEL.weights, MODEL.preprocessing), "another dimension"),
        (ModelIdentity(MODEL.name, 4, MODEL.weights, "crop"), "other preprocessing"),
    ],
)
def test_a_target_of_another_model_is_refused_before_anything_is_written(
    source_store: Store, target_store: Store, model: ModelIdentity, message: str
) -> None:
    fill(source_store, "first")
    fill(source_store, "images")
    target_store.create("images", model)
    with pytest.raises(ModelMismatchError, match=message):
        list(copy_collections(source_store, target_store))
    assert [info.name for info in target_store.collections()] == ["images"]


def test_a_target_that_lacks_fields_is_refused(source_store: Store, target_store: Store) -> None:
    fill(source_store)
    with old_schema(version=1):
        target_store.create("images", MODEL)
    with pytest.raises(StoreError, match="older version"):
        list(copy_collections(source_store, target_store))


def test_missing_collections_are_reported(source_store: Store, target_store: Store) -> None:
    with pytest.raises(StoreError, match="no collections"):
        list(copy_collections(source_store, target_store))
    fill(source_store)
    with pytest.raises(MissingCollectionError, match="'images'"):
        list(copy_collections(source_store, target_store, "other"))


@pytest.mark.parametrize(
    ("source", "target", "name", "new_name", "is_refused"),
    [
        ("a.db", "./a.db", None, "", True),
        ("a.db", "link.db", "images", "images", True),
        ("a.db", "hard.db", None, "", True),
        ("a.db", "a.db", "images", "backup", False),
        ("a.db", "b.db", None, "", False),
        ("http://h:1", "http://h:1/", None, "", True),
        ("http://u:p@h:1", "http://h:1", None, "", True),
        ("http://h:1", "http://h:2", None, "", False),
    ],
)
def test_a_store_is_not_copied_to_itself(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    target: str,
    name: str | None,
    new_name: str,
    *,
    is_refused: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.db").touch()
    Path("link.db").symlink_to("a.db")
    Path("hard.db").hardlink_to("a.db")
    arguments = (parse_uri(source), parse_uri(target), name, new_name)
    if is_refused:
        with pytest.raises(UsageError, match="source and the target"):
            require_other(*arguments)
    else:
        require_other(*arguments)


def test_a_collection_of_a_newer_version_is_not_left_out_silently(
    source_store: Store, target_store: Store
) -> None:
    fill(source_store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clipsearch.store.catalog_entry.SCHEMA_VERSION", SCHEMA_VERSION - 1)
        with pytest.raises(StoreError, match="newer version"):
            list(copy_collections(source_store, target_store))
    assert target_store.collections() == []
