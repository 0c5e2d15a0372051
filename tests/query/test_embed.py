"""Image terms: their stored rows, missing and changed files, shortened ids."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.errors import ImageError, UsageError
from clipsearch.files.discover import FileSource
from clipsearch.images.hashing import image_id
from clipsearch.query import Query, StoredImage, Term
from clipsearch.query.embed import open_image, stored_row
from clipsearch.query.search import search
from clipsearch.store import Collection
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw


@pytest.fixture
def filled(image_folder: Path, collection: Collection, encoder: ColorEncoder) -> Collection:
    """red.png, green.png and blue.png, ingested."""
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions())
    return collection


def others(collection: Collection, encoder: ColorEncoder, *terms: Term) -> set[str]:
    """The names of the hits with `exclude_images`."""
    query = Query(terms, exclude_images=True)
    return {hit.path.name for hit in search([query], lambda: encoder, collection)[0]}


def test_a_changed_query_image_is_excluded_by_id_and_content(
    filled: Collection, encoder: ColorEncoder, image_folder: Path
) -> None:
    draw(image_folder / "red.png", "blue", size=(9, 9))
    assert others(filled, encoder, Term(image_folder / "red.png")) == {"green.png", "blue.png"}
    shutil.copy(image_folder / "green.png", image_folder / "red.png")
    assert others(filled, encoder, Term(image_folder / "red.png")) == {"blue.png"}


def test_all_images_of_a_query_are_excluded(
    filled: Collection, encoder: ColorEncoder, image_folder: Path
) -> None:
    (image_folder / "red.png").unlink()
    green = StoredImage(image_id(image_folder.resolve() / "green.png"))
    assert others(filled, encoder, Term(image_folder / "red.png"), Term(green)) == {"blue.png"}
    assert others(filled, encoder, Term("red")) == {"red.png", "green.png", "blue.png"}


def test_a_stored_image_without_access_keeps_its_row(
    filled: Collection, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:  # not while the fixture drops the collection
        lock(patched)
        row = stored_row(image_folder / "red.png", filled)
    assert row is not None
    assert row.record.path.name == "red.png"


@pytest.mark.parametrize("name", ["~$x.jpg", "~nosuch/x.jpg", "nowhere.jpg"])
def test_a_missing_image_raises_usage_error(collection: Collection, name: str) -> None:
    assert stored_row(Path(name), collection) is None
    with pytest.raises(UsageError, match="no such image"):
        open_image(Path(name))


def test_an_unreadable_image_raises_an_error_with_the_reason(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = Path("x" * 300 + ".jpg")
    assert stored_row(long, collection) is None
    with pytest.raises(ImageError, match=r"x\.jpg: file name too long"):
        open_image(long)
    with pytest.raises(ImageError):
        open_image(Path("a\0b.jpg"))
    image = draw(tmp_path / "a.png")
    with monkeypatch.context() as patched:
        lock(patched)
        assert stored_row(image, collection) is None
        with pytest.raises(ImageError, match=r"a\.png: permission denied"):
            open_image(image)


def lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every stat call fail, as in a folder without permission."""

    def deny(*_: object, **__: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", deny)
    monkeypatch.setattr(Path, "stat", deny)


def test_an_id_may_be_shortened_and_in_any_letter_case(
    filled: Collection, image_folder: Path
) -> None:
    id_ = image_id(image_folder.resolve() / "red.png")
    for prefix in (id_, id_.upper(), id_[:12], id_[:12].upper()):
        row = stored_row(StoredImage(prefix), filled)
        assert row is not None
        assert row.record.id == id_
    for prefix in (id_[:5], "nohex0", id_ + "0"):
        with pytest.raises(UsageError, match="id"):
            stored_row(StoredImage(prefix), filled)


def test_the_limit_of_pixels_holds_for_query_images(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (100, 50), "red").save(path)
    with pytest.raises(ImageError, match=r"large\.png: too many pixels: 100 x 50"):
        open_image(path, max_pixels=4999)
    assert open_image(path, max_pixels=5000).size == (100, 50)
    Image.new("RGB", (60_000, 1), "red").save(path)
    with pytest.raises(ImageError, match=r"large\.png: aspect ratio exceeds 200:1"):
        open_image(path)
