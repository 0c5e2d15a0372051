"""Filters: the paths that a glob matches, and the names of formats."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from clipsearch.errors import UsageError
from clipsearch.images.formats import FORMATS, SUFFIXES
from clipsearch.query import Filters
from clipsearch.query.condition import select
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.store import filters as store_filters

RECORD = ImageRecord(
    id="0" * 32,
    path=Path("/data/Pictures/2023/05/IMG_1.JPG"),
    content_hash="0" * 32,
    size=1,
    mtime_ns=0,
    width=1,
    height=1,
    format="jpeg",
    taken_at=datetime(2023, 5, 1),
)


@pytest.mark.parametrize(
    ("glob", "matches"),
    [
        ("*.jpg", True),
        ("img_?.JPG", True),
        ("*.png", False),
        ("05", False),
        ("05/*.jpg", True),
        ("./05/*.jpg", True),
        ("2023/*.jpg", True),
        ("2023/img_1.jpg", False),
        ("023/*.jpg", False),
        ("*023/*.jpg", True),
        ("**/2023/*", True),
        ("/data/*", True),
        ("/data/Pictures/2023/05/img_1.jpg", True),
        ("/2023/*.jpg", False),
        ("~/2023/*.jpg", True),
        ("~/05/*.jpg", False),
        ("", False),
    ],
)
def test_a_glob_matches(glob: str, matches: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/data/Pictures")
    filters = Filters(glob=glob)
    assert filters.matches_glob(RECORD) is matches
    assert replace(filters) == filters


def test_an_anchored_glob_matches_only_in_its_folder(
    tmp_path: Path, collection: Collection
) -> None:
    real = tmp_path.resolve() / "[real]"
    real.mkdir()
    assert select(Filters(glob="/data/*.jpg"), collection).condition == store_filters.in_folder(
        Path("/data")
    )
    assert select(Filters(glob="2023/*.jpg"), collection).condition == ""
    (tmp_path / "link").symlink_to(real)
    filters = Filters(glob=f"{tmp_path}/link/*.jpg")
    assert filters.matches_glob(replace(RECORD, path=real / "a.jpg"))
    assert not filters.matches_glob(replace(RECORD, path=tmp_path / "r" / "a.jpg"))
    assert select(
        Filters(under=tmp_path / "link"), collection
    ).condition == store_filters.in_folder(real)


def test_a_folder_with_an_unusual_name_is_accepted(
    monkeypatch: pytest.MonkeyPatch, collection: Collection
) -> None:
    monkeypatch.chdir("/")
    for name in ("~$x", "~nosuch", "x" * 300):
        assert select(Filters(under=Path(name)), collection).condition == store_filters.in_folder(
            Path("/", name)
        )


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("jpg", "jpeg"),
        ("JPEG", "jpeg"),
        (".jpe", "jpeg"),
        ("tif", "tiff"),
        ("heic", "heif"),
        ("HEIF", "heif"),
        ("jp2", "jpeg2000"),
        ("jpeg2000", "jpeg2000"),
        ("pgm", "ppm"),
    ],
)
def test_a_format_has_several_names(name: str, known: str, collection: Collection) -> None:
    assert Filters(formats=(name,)) == Filters(formats=(known,))
    assert select(Filters(formats=(name,)), collection).condition == store_filters.format_in(
        [known]
    )


def test_every_suffix_and_every_format_is_accepted() -> None:
    assert set(Filters(formats=tuple(SUFFIXES)).formats) == set(FORMATS)
    assert Filters(formats=FORMATS).formats == FORMATS


def test_an_unknown_format_raises_an_error_that_lists_the_formats() -> None:
    with pytest.raises(UsageError, match=r"unknown format 'doc': use one of jpeg, png, .*avif"):
        Filters(formats=("png", "doc"))
