"""Temporary files and folders of killed processes are removed, those in use are not."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from clipsearch.abandoned import is_abandoned, lock_folder, remove_abandoned
from clipsearch.cache import atomic_write
from clipsearch.temporary_folder import PREFIX, TemporaryFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked on Windows")

KILLED = """
import os, signal, sys
from pathlib import Path
from clipsearch.cache import atomic_write
from clipsearch.temporary_folder import TemporaryFolder
folder = Path(sys.argv[1])
with TemporaryFolder(folder) as own, atomic_write(folder / "a.json") as temporary:
    (own / "file").touch()
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_within(folder: Path) -> None:
    """Kill a process that has a temporary folder and a temporary file."""
    before = set(folder.iterdir())
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert done.returncode == -9
    assert len(set(folder.iterdir()) - before) == 2


def test_the_next_process_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    kill_within(tmp_path)
    with TemporaryFolder(tmp_path) as own:
        assert [path.name for path in tmp_path.glob(f"{PREFIX}*")] == [own.name]
    assert not own.exists()
    with atomic_write(tmp_path / "a.json") as temporary:
        temporary.write_text("whole")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]
    assert (tmp_path / "a.json").read_text() == "whole"


def test_what_is_in_use_or_not_ours_stays(tmp_path: Path) -> None:
    used, left = TemporaryFolder(tmp_path), TemporaryFolder(tmp_path)
    assert used.fd is not None
    assert left.fd is not None
    inherited = os.dup(used.fd)  # as a child of Milvus Lite has it
    for folder in (used, left):
        os.close(folder.fd or 0)  # as the kernel does after a kill
    (left.path / "file").touch()
    other = tmp_path / "clipsearch-other"
    other.mkdir()
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(target)
    new = TemporaryFolder(tmp_path)
    assert not left.path.exists()
    assert all(path.exists() for path in (used.path, new.path, other, target))
    os.close(inherited)
    assert is_abandoned(used.path)
    new.remove()
    new.remove()
    assert not new.path.exists()


def test_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        barrier.wait()
        for _ in range(40):
            with atomic_write(path) as temporary:
                temporary.write_text(str(number) * 1_000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert path.read_text() in {str(number) * 1_000 for number in range(8)}
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_was_moved_to_its_name_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, path = tmp_path / "a.part", tmp_path / "a"
    temporary.touch()
    opened = os.open

    def move_first(name: Path, *rest: int) -> int:
        fd = opened(name, *rest)
        temporary.rename(path)  # its owner finishes between our opening and locking it
        return fd

    monkeypatch.setattr(os, "open", move_first)
    remove_abandoned(temporary)
    assert path.exists()


def test_a_file_that_vanished_before_it_was_locked_is_noticed(tmp_path: Path) -> None:
    assert lock_folder(tmp_path / "missing") is None


def test_the_default_place_is_that_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with TemporaryFolder() as own:
        assert own.parent == tmp_path
        assert own.stat().st_mode & 0o077 == 0
