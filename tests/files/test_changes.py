"""Changes of files are noticed by events and by polling; others are not."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipsearch.files import changes, folder_events
from clipsearch.files.changes import ChangeSource, FileChanges, Polling
from clipsearch.files.folder_events import FolderEvents
from clipsearch.files.walk import FileSelection
from tests.helpers.fakes import draw

SOON = 10.0
NEVER = 1.5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    draw(folder / "sub" / "a.png", "red")
    return folder


def events(
    folder: Path, *, exclude: tuple[str, ...] = (), ignored: Path | None = None
) -> ChangeSource:
    return FolderEvents([folder], FileSelection(exclude=exclude), ignored=ignored)


def drain(source: ChangeSource) -> None:
    while source.wait(0.7):
        pass


def make(folder: Path) -> None:
    draw(folder / "new.png", "blue")


def replace(folder: Path) -> None:
    draw(folder.parent / "other.png", "blue").replace(folder / "sub" / "a.png")


def rename(folder: Path) -> None:
    (folder / "sub").rename(folder / "other")


def delete(folder: Path) -> None:
    (folder / "sub" / "a.png").unlink()


def move_folder_with_a_dot_away(folder: Path) -> None:
    (folder / "2020.trip").rename(folder.parent / "away")


CHANGES = [make, replace, rename, delete, move_folder_with_a_dot_away]


@pytest.mark.parametrize("kind", ["events", "polling"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(change: Callable[[Path], None], kind: str, folder: Path) -> None:
    draw(folder / "2020.trip" / "b.png", "green")
    source: ChangeSource = (
        events(folder) if kind == "events" else Polling([folder], FileSelection(), interval=0.05)
    )
    drain(source)
    change(folder)
    assert source.wait(SOON)


def test_a_folder_made_at_once_is_watched(folder: Path) -> None:
    source = events(folder)
    (folder / "x" / "y" / "z").mkdir(parents=True)
    assert source.wait(SOON)
    drain(source)
    draw(folder / "x" / "y" / "z" / "b.png", "blue")
    assert source.wait(SOON)


def test_other_files_are_not_changes(folder: Path) -> None:
    store = folder / "images.db"
    (folder / "private").mkdir()
    source = events(folder, exclude=("private",), ignored=store)
    drain(source)
    for name in ("images.db", "images.db-journal", "notes.txt", ".x.png", "private/b.png"):
        (folder / name).write_bytes(b"1")
    (folder / "images.db-journal").unlink()
    (folder / "sub" / "a.png").read_bytes()
    assert not source.wait(NEVER)


def test_a_folder_that_vanishes_and_returns_is_watched_again(folder: Path) -> None:
    source = events(folder)
    drain(source)
    away = folder.rename(folder.parent / "away")
    assert source.wait(SOON)
    drain(source)
    shutil.copytree(away, folder)
    assert source.wait(SOON)
    drain(source)
    draw(folder / "later.png", "green")
    assert source.wait(SOON)


def test_a_named_file_may_be_replaced_again_and_again(folder: Path) -> None:
    file = folder / "sub" / "a.png"
    source = events(file)
    for color in ("blue", "green", "black"):
        drain(source)
        draw(folder.parent / "other.png", color).replace(file)
        assert source.wait(SOON)


def test_a_missing_folder_is_waited_for(tmp_path: Path) -> None:
    source = events(tmp_path / "later")
    assert not source.wait(NEVER)
    draw(tmp_path / "later" / "a.png", "red")
    assert source.wait(SOON)


def test_polling_takes_over_at_the_limit_of_the_system(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(changes, "FALLBACK_SECONDS", 0.05)

    def refuse(*_: object, **__: object) -> None:
        raise OSError('OS file watch limit reached. about ["/somewhere"]')

    monkeypatch.setattr(folder_events, "watch", refuse)
    source = FileChanges([folder], FileSelection())
    assert "OS file watch limit reached): looking at the files every" in caplog.text
    make(folder)
    assert source.wait(SOON)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of inotify")
def test_a_limit_reached_later_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = FileChanges([folder], FileSelection())

    def refuse(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached.")

    monkeypatch.setattr(folder_events, "watch", refuse)
    (folder / "another").mkdir()  # watched again with it
    assert source.wait(SOON)
    assert source.wait(SOON)
    assert "limit reached" in caplog.text


def test_polling_ignores_what_a_walk_leaves_out(folder: Path) -> None:
    source = Polling([folder], FileSelection(exclude=("*.gif",)), interval=0.05)
    draw(folder / "x.gif", "red")
    (folder / ".hidden").mkdir()
    os.utime(folder)
    assert not source.wait(0.3)


def test_a_subfolder_without_permission_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    watch: Any = vars(folder_events)["watch"]

    def refuse(*paths: Path, **options: Any) -> Any:
        asked.append(options["ignore_permission_denied"])
        if not options["ignore_permission_denied"]:
            raise PermissionError("a subfolder")
        return watch(*paths, **options)

    monkeypatch.setattr("clipsearch.files.folder_events.watch", refuse)
    source = events(folder)
    assert asked == [False, True]
    make(folder)
    assert source.wait(SOON)
