"""One file has one canonical path, however it is given."""

import os
import sys
from pathlib import Path

import pytest

from clipsearch.files.paths import (
    anchored,
    canonical,
    describe_missing,
    expand_user,
    is_file,
    is_folder,
)

LONG = Path("x" * 5000)
ODD = [Path("~$x.jpg"), Path("~nosuch"), Path("~nosuch/x"), LONG, LONG / "x", Path("a\0b")]

links = pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")


@pytest.mark.parametrize("path", ODD, ids=lambda path: str(path)[:9])
def test_odd_names_are_accepted(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert canonical(path) == tmp_path.resolve() / path
    assert not is_file(path)
    assert not is_folder(path)


@pytest.mark.parametrize("path", [Path(), Path("sub/.."), Path("sub/../../here"), Path("~/here")])
def test_a_folder_is_resolved(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path / "here")
    assert canonical(path) == (tmp_path / "here").resolve()


@links
def test_a_link_to_a_folder_is_the_folder_and_one_to_a_file_is_itself(tmp_path: Path) -> None:
    real = tmp_path.resolve() / "data"
    real.mkdir()
    (real / "a.jpg").touch()
    (real / "b.jpg").symlink_to("a.jpg")
    (real / "c.jpg").symlink_to("nowhere")
    (tmp_path / "link").symlink_to(real)
    assert canonical(tmp_path / "link") == real
    for name in ("a.jpg", "b.jpg", "c.jpg", "gone.jpg"):
        assert canonical(tmp_path / "link" / name) == real / name


def test_a_path_that_cannot_be_examined_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: object, **__: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", deny)
    monkeypatch.setattr(Path, "stat", deny)
    assert canonical(tmp_path / "x") == Path(os.path.realpath(tmp_path)) / "x"
    assert not is_folder(tmp_path)


def test_only_a_user_name_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert expand_user(Path("~/a/~")) == tmp_path / "a" / "~"
    assert expand_user(Path("~$a")) == Path("~$a")


@links
def test_an_absolute_glob_is_split_at_its_first_wildcard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    real = tmp_path.resolve()
    (tmp_path / "link").symlink_to(tmp_path)
    assert anchored("~/link/a/*/b.jpg") == (real / "a", "*/b.jpg")
    assert anchored(f"{tmp_path}/link/a.jpg") == (real, "a.jpg")
    assert anchored("/*") == (Path("/"), "*")
    assert anchored("/[a]/b") == (Path("/"), "[a]/b")
    assert [anchored(glob) for glob in ("", "a/b", "*", "~$*", "./a")] == [None] * 5


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://x.org/a.jpg", "https://x.org/a.jpg: only query and similar take a URL"),
        ("S3://bucket/a", "S3://bucket/a: only ingest reads object stores"),
        ("gcs://bucket/a", "gcs://bucket/a: the URI of an object store starts with s3"),
        ("file:///tmp/a b.jpg", "give its path, /tmp/a b.jpg"),
        ("/tmp/http://x", "/tmp/http:/x"),
        ("C:/x.jpg", "C:/x.jpg"),
        ("a:/b", "a:/b"),
    ],
)
def test_a_url_is_shown_as_it_was_given(given: str, shown: str) -> None:
    described = describe_missing(Path(given))
    assert shown in described
    assert ("URL" in described) == (given.split(":")[0] == "https")
