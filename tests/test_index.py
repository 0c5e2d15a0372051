"""The Python API."""

import inspect
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import clipsearch
from clipsearch import ClipsearchError, Filters, Hit, Hits, Index, Query, StoredImage, Term
from clipsearch.errors import (
    MissingCollectionError,
    ModelError,
    ModelMismatchError,
    StoreError,
    UsageError,
)
from clipsearch.images.hashing import image_id
from clipsearch.models import registry
from clipsearch.models.runtime import Runtime
from ingest.options import IngestOptions
from tests.helpers.fakes import ColorEncoder, draw


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, encoder: ColorEncoder) -> list[str]:
    """The names of the loaded models; all are the fake encoder."""
    names: list[str] = []

    def load(name: str, runtime: Runtime | None = None, **_: object) -> ColorEncoder:
        names.append(name)
        return encoder

    monkeypatch.setattr(registry, "load", load)
    return names


@pytest.fixture
def index(tmp_path: Path, image_folder: Path, loaded: list[str]) -> Index:
    """An index of red.png, green.png and blue.png, closed and opened again."""
    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.ingest(image_folder)
    loaded.clear()
    return Index.open(tmp_path / "photos.db")


def test_the_public_names_are_all_there_and_documented() -> None:
    for name in clipsearch.__all__:
        public = getattr(clipsearch, name)
        assert inspect.getdoc(public), name
        assert name in str(clipsearch.__doc__)
    assert clipsearch.__all__ == sorted(clipsearch.__all__)
    assert set(clipsearch.__all__) <= set(dir(clipsearch))
    with pytest.raises(AttributeError, match="nonsense"):
        clipsearch.nonsense  # noqa: B018


def test_search_by_text_by_image_and_by_both(index: Index, image_folder: Path) -> None:
    with index:
        assert index.search("green")[0].path.name == "green.png"
        assert index.search(image=image_folder / "blue.png")[0].path.name == "blue.png"
        assert (
            index.search(image=str(image_folder / "blue.png"), limit=1)[0].path.name == "blue.png"
        )
        both = index.search("red", image=image_folder / "blue.png", weights=(1, 2))
        assert [hit.path.name for hit in both] == ["blue.png", "red.png", "green.png"]
        by_id = index.search(image=f"id:{image_id(image_folder / 'red.png')}")
        assert by_id == index.search(image=StoredImage(image_id(image_folder / "red.png")))
        in_memory = index.search(image=Image.new("RGB", (9, 9), "red"))
        assert in_memory[0].path.name == "red.png"
        assert index.search("red", filters=Filters(glob="g*"))[0].path.name == "green.png"


def test_many_queries(index: Index) -> None:
    with index:
        many = index.search_many(["red", Query((Term("green"),), limit=1)])
        assert [len(hits) for hits in many] == [3, 1]
        assert index.search_many([]) == []


def test_similar_leaves_out_the_image_itself(index: Index, image_folder: Path) -> None:
    with index:
        names = {hit.path.name for hit in index.similar(image_folder / "red.png")}
        assert names == {"green.png", "blue.png"}


def test_duplicates_show_their_stages(index: Index) -> None:
    stages = []

    def open_bar(name: str, total: float | None) -> AbstractContextManager[None]:
        stages.append((name, total))
        return nullcontext()

    assert index.duplicates(threshold=1, progress=open_bar) == []
    assert stages == [("read", None), ("compare", len(index))]


def test_length_model_and_embeddings(index: Index, image_folder: Path) -> None:
    with index:
        assert len(index) == 3
        assert index.model is not None
        assert index.model.name == "pocket"
        texts, images = (
            index.embed_texts(["red", "blue"]),
            index.embed_images([image_folder / "red.png"]),
        )
        assert texts.shape == (2, 4)
        assert images.dtype == np.float32
        np.testing.assert_allclose(images, [[1, 0, 0, 0]], atol=1e-6)


def test_hits_are_plain_values_that_a_notebook_shows(index: Index) -> None:
    with index:
        hits = index.search("red")
    assert isinstance(hits, Hits)
    assert isinstance(hits[0], Hit)
    assert "<img" in hits._repr_html_()


def test_the_model_is_loaded_only_when_needed(
    index: Index, image_folder: Path, loaded: list[str]
) -> None:
    with index:
        index.similar(image_folder / "red.png")
        index.remove(image_folder / "red.png")
        assert loaded == []
        index.search("red")
        index.search("green")
        assert loaded == ["pocket"]


def test_remove_takes_files_and_folders(index: Index, image_folder: Path) -> None:
    with index:
        assert index.remove(image_folder / "red.png") == 1
        assert (image_folder / "red.png").is_file()
        assert index.remove(image_folder) == 2
        assert len(index) == 0
        assert index.collection.info.roots == ()
        assert index.remove(image_folder) == 0


def test_another_model_is_refused_before_anything_is_written(
    tmp_path: Path, index: Index, image_folder: Path, encoder: ColorEncoder
) -> None:
    index.close()
    with pytest.raises(ModelMismatchError, match="made by pocket"):
        Index.open(tmp_path / "photos.db", model="align")
    with Index.open(tmp_path / "photos.db") as same_name:
        encoder.identity = ColorEncoder(weights="0ther").identity
        draw(image_folder / "new.png", (1, 2, 3))
        with pytest.raises(ModelMismatchError, match="other weights"):
            same_name.ingest(image_folder)
        assert len(same_name) == 3


def test_an_empty_collection_does_not_tie_the_next_ingestion_to_its_model(
    tmp_path: Path, image_folder: Path, loaded: list[str], encoder: ColorEncoder
) -> None:
    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.create_collection().add_roots([image_folder])  # and a kill before the first rows
    encoder.identity = ColorEncoder(weights="0ther", name="other").identity
    with Index.open(tmp_path / "photos.db", model=encoder) as other:
        other.ingest(image_folder, dry_run=True)
        kept = other.store.find(other.name)
        assert kept is not None
        assert kept.info.model.name == "pocket"  # a dry run writes nothing
        assert other.ingest(image_folder).stored == 3
        assert other.collection.info.model.name == "other"
    with pytest.raises(ModelMismatchError, match="made by other"):
        Index.open(tmp_path / "photos.db", model="pocket")


def test_an_ingestion_that_cannot_start_creates_nothing(
    tmp_path: Path, image_folder: Path, loaded: list[str]
) -> None:
    with Index.open(tmp_path / "new.db", model="pocket") as index:
        with pytest.raises(UsageError, match="no such file or folder"):
            index.ingest(tmp_path / "nowhere")
        with pytest.raises(UsageError, match="nothing to ingest"):
            index.ingest()
        assert loaded == []
        with pytest.raises(MissingCollectionError):
            index.search("red")
        assert len(index) == 0


def test_an_unknown_model_creates_no_collection(tmp_path: Path, image_folder: Path) -> None:
    with Index.open(tmp_path / "new.db", model="ViT-B-32/laion2b_s34b_b79z") as index:
        with pytest.raises(ModelError, match="did you mean"):
            index.ingest(image_folder)
        assert index.store.collections() == []


def test_a_dry_run_writes_nothing_and_loads_nothing(
    tmp_path: Path, image_folder: Path, loaded: list[str]
) -> None:
    with Index.open(tmp_path / "new.db", model="pocket") as index:
        report = index.ingest(image_folder, dry_run=True)
        assert (report.stored, report.dry_run, len(index)) == (3, True, 0)
    assert loaded == []


def test_a_report_is_json(tmp_path: Path, image_folder: Path, loaded: list[str]) -> None:
    (image_folder / "bad.png").write_bytes(b"")
    with Index.open(tmp_path / "new.db", model="pocket") as index:
        report = index.ingest(image_folder, options=IngestOptions())
    read = json.loads(json.dumps(report.as_json()))
    assert (read["stored"], read["found"]) == (3, 4)
    assert read["failed"] == [
        {"path": str(image_folder / "bad.png"), "reason": "the file is empty"}
    ]


def test_a_missing_store_is_an_error_without_create(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        Index.open(tmp_path / "nowhere.db", create=False)
    assert not (tmp_path / "nowhere.db").exists()


def test_every_error_of_ours_has_one_base(index: Index) -> None:
    with index, pytest.raises(ClipsearchError):
        index.search()
