"""Loading a collection and its model before they are needed."""

from pathlib import Path

import pytest

from clipsearch import config
from clipsearch.errors import ModelError, ModelMismatchError
from clipsearch.index import Index
from clipsearch.models import registry
from clipsearch.models.preload import PreloadedEncoder, recall_model, remember_model, start_preload
from clipsearch.models.runtime import Runtime
from clipsearch.store import Store
from tests.helpers.fakes import ColorEncoder
from tests.helpers.records import MODEL, many


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, encoder: ColorEncoder) -> list[str]:
    """The names of the models that were loaded; all of them are the fake encoder."""
    names: list[str] = []

    def load(name: str, _: Runtime, **options: object) -> ColorEncoder:
        names.append(name)
        return encoder

    monkeypatch.setattr(registry, "load", load)
    return names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with thirty rows in `photos`."""
    with Store.open(tmp_path / "photos.db") as store:
        collection = store.create("photos", MODEL)
        collection.upsert(many(30))
        collection.finish_writes()
    return tmp_path / "photos.db"


@pytest.mark.parametrize("ahead", ["photos", "cats", "no name", "x" * 400, "ü" * 100, ""])
def test_preloading_any_collection_gives_the_same_rows(path: Path, ahead: str) -> None:
    for create in (True, False):
        with Store.open(path, preload=ahead, create=create) as store:
            collection = store.collection("photos")
            assert collection.count() == 30
            assert len(list(collection.scan())) == 30
            collection.upsert(many(31))
            assert collection.count() == 31
            collection.delete([many(31)[30].record.id])
            collection.finish_writes()


def test_a_new_store_has_nothing_to_preload(tmp_path: Path) -> None:
    with Store.open(tmp_path / "new.db", preload="photos") as store:
        assert store.collections() == []
        store.create("photos", MODEL).upsert(many(3))
        assert store.collection("photos").count() == 3


def test_a_model_is_loaded_beside_the_store_once_it_is_known(path: Path, loads: list[str]) -> None:
    for expected in (["pocket"], ["pocket", "pocket"]):
        with Index.open(path, collection="photos", preload=True) as index:
            began = index._preloaded
            assert (began is not None) == (len(expected) == 2)  # the first one takes note of it
            index.search("red")
            assert loads == expected


def test_nothing_is_preloaded_by_default(path: Path, loads: list[str]) -> None:
    remember_model(str(path), "photos", "pocket")
    with Index.open(path, collection="photos"):
        pass
    assert loads == []


def test_a_wrong_guess_has_no_effect(path: Path, loads: list[str], encoder: ColorEncoder) -> None:
    remember_model(str(path), "photos", "something else")
    with Index.open(path, collection="photos", preload=True) as index:
        index.search("red")
    assert sorted(loads) == ["pocket", "something else"]
    assert recall_model(str(path), "photos") == "pocket"
    encoder.identity = ColorEncoder(weights="0ther").identity
    with (
        Index.open(path, collection="photos", preload=True) as index,
        pytest.raises(ModelMismatchError),
    ):
        index.search("red")


def test_a_preloaded_model_is_used_only_for_its_name_and_runtime(loads: list[str]) -> None:
    ahead = PreloadedEncoder("pocket", Runtime(precision="fp32"))
    assert ahead.encoder("pocket", Runtime()) is None
    assert ahead.encoder("clip", Runtime(precision="fp32")) is None
    assert ahead.encoder("pocket", Runtime(precision="fp32"))


def test_a_failed_preload_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, _: Runtime) -> ColorEncoder:
        raise ModelError("no weights")

    monkeypatch.setattr(registry, "load", missing)
    assert PreloadedEncoder("clip", Runtime()).encoder("clip", Runtime()) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"model": 3}'])
def test_a_damaged_record_is_ignored(content: bytes) -> None:
    remember_model("/a.db", "photos", "pocket")
    [file] = (config.cache_folder() / "models-of-stores").iterdir()
    file.write_bytes(content)
    assert recall_model("/a.db", "photos") in (None, "3")
    remember_model("/a.db", "photos", "clip")
    assert recall_model("/a.db", "photos") == "clip"
    assert start_preload("/a.db", "others", Runtime()) is None


def test_a_read_only_cache_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "file"))
    remember_model("/a.db", "photos", "pocket")
    assert recall_model("/a.db", "photos") is None


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
