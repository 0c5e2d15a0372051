"""Files that are not read are counted by suffix, each once, and never fail a walk."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.discover import FileSource
from clipsearch.files.skipped import SkippedFiles
from clipsearch.files.walk import FileSelection


def plant(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def skipped(*paths: Path, selection: FileSelection | None = None) -> dict[str, int]:
    source = FileSource(paths, selection)
    for _ in range(2):  # each iteration counts anew
        list(source)
    source.count()  # does not change the counts
    return source.skipped.suffixes


def test_suffixes_are_counted_in_lower_case(tmp_path: Path) -> None:
    plant(tmp_path, "a.MOV", "b.mov", "sub/c.Pdf", "d.jpg", "README", "e.", ".hidden.mov")
    assert skipped(tmp_path) == {".mov": 2, ".pdf": 1, "": 2}
    everything = FileSelection(everything=True)
    assert skipped(tmp_path, selection=everything) == {".mov": 3, ".pdf": 1, "": 2}


def test_excluded_files_and_named_files_are_not_counted(tmp_path: Path) -> None:
    plant(tmp_path, "a.mov", "private/b.mov", "c.pdf")
    assert skipped(tmp_path, selection=FileSelection(exclude=("private", "*.pdf"))) == {".mov": 1}
    assert skipped(tmp_path / "a.mov") == {}


def test_a_folder_that_is_given_twice_counts_once(tmp_path: Path) -> None:
    plant(tmp_path, "a.mov", "sub/b.mov", "sub/deep/c.mov")
    for paths in ([tmp_path, tmp_path / "sub"], [tmp_path / "sub/deep", tmp_path, tmp_path]):
        assert skipped(*paths) == {".mov": 3}


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
def test_only_regular_files_are_counted(tmp_path: Path) -> None:
    root = tmp_path / "root"
    plant(root, "a.mov")
    (root / "link.mov").symlink_to(root / "a.mov")
    (root / "loop.mov").symlink_to(root / "loop.mov")
    (root / "broken.mov").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe.mov")
    (root / "folder.mov").mkdir()
    assert skipped(root) == {".mov": 2}
    assert [item.path.name for item in FileSource([root])] == []


def test_an_empty_folder_names_what_it_holds_instead(tmp_path: Path) -> None:
    plant(tmp_path, "a.mov", "b.mov", "c.pdf")
    with pytest.raises(UsageError, match=r"skipped 3 of other formats \(\.mov 2, \.pdf 1\)"):
        FileSource([tmp_path]).require_any()


def test_the_most_frequent_suffixes_are_named() -> None:
    files = SkippedFiles()
    assert files.describe() == ""
    for number in range(12):
        for _ in range(number + 1):
            files.add(f".{number}")
    files.add("")
    assert files.describe() == (
        "79 of other formats (.11 12, .10 11, .9 10, .8 9, .7 8, .6 7, .5 6, .4 5, others 11)"
    )


@given(st.lists(st.text(max_size=14).map(lambda text: f".{text}" if text else "")))
def test_every_file_counts_and_the_text_is_printable(suffixes: list[str]) -> None:
    files = SkippedFiles()
    for suffix in suffixes:
        files.add(suffix)
    assert sum(files.suffixes.values()) == len(suffixes)
    short = Counter(suffix for suffix in suffixes if 0 < len(suffix) <= 10)
    assert {name: count for name, count in files.suffixes.items() if name} == short
    assert escape_control(files.describe()) == files.describe()


def test_memory_is_bounded() -> None:
    files = SkippedFiles()
    for number in range(5000):
        files.add(f".{number}")
    assert sum(files.suffixes.values()) == 5000
    assert len(files.suffixes) < 1100
