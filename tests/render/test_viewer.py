"""Images in the desktop's viewer."""

import stat
import sys
import time
from pathlib import Path

import pytest

from clipsearch.errors import UsageError
from clipsearch.render.viewer import open_files, viewer_commands

FILES = [Path("/p/a.jpg"), Path("/p/b.jpg")]


def program(folder: Path, name: str, body: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(stat.S_IRWXU)


def test_macos_opens_all_files_at_once() -> None:
    assert viewer_commands(FILES, "darwin", {}) == [["open", *FILES]]


@pytest.mark.skipif(sys.platform == "win32", reason="needs Unix programs")
@pytest.mark.parametrize(
    ("present", "environ", "expected"),
    [
        (["xdg-open", "gio"], {"DISPLAY": ":0"}, ["xdg-open"]),
        (["gio"], {"WAYLAND_DISPLAY": "wayland-0"}, ["gio", "open"]),
        (["xdg-open", "wslview"], {"WSL_DISTRO_NAME": "Debian"}, ["wslview"]),
    ],
)
def test_desktops_open_each_file_with_the_first_installed_opener(
    present: list[str], environ: dict[str, str], expected: list[str], tmp_path: Path
) -> None:
    for name in present:
        program(tmp_path, name)
    commands = viewer_commands(FILES, "linux", {**environ, "PATH": str(tmp_path)})
    assert commands == [[*expected, file] for file in FILES]


def test_the_error_for_a_missing_opener_says_what_to_try(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"xdg-open.*install xdg-utils.*--sheet"):
        viewer_commands(FILES, "linux", {"DISPLAY": ":0", "PATH": str(tmp_path)})


def test_a_session_without_a_desktop_raises_an_error() -> None:
    with pytest.raises(UsageError, match="no desktop"):
        viewer_commands(FILES, "linux", {})


def test_the_error_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.jpg.*no such file"):
        open_files([tmp_path / "gone.jpg"])


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="needs a Unix desktop")
def test_the_viewer_gets_the_absolute_path_and_the_caller_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "xdg-open", f'printf %s "$1" > "{tmp_path}/opened"; sleep 3')
    (tmp_path / "-rf.jpg").touch()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WSL_DISTRO_NAME", raising=False)
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    open_files([Path("-rf.jpg")])
    assert time.monotonic() - began < 2
    opened = tmp_path / "opened"
    while time.monotonic() - began < 10 and not (opened.exists() and opened.read_text()):
        time.sleep(0.02)
    assert opened.read_text() == str(tmp_path / "-rf.jpg")
