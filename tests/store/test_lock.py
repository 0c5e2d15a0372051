"""The lock file of a local store."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipsearch.errors import StoreError
from clipsearch.store.milvus_lite.lock import FileLock

pytestmark = pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="needs O_NOFOLLOW")


@pytest.mark.parametrize("exists", [True, False])
def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "important.txt"
    if exists:
        target.write_text("precious")
    lock = tmp_path / ".photos.db.lock"
    lock.symlink_to(target)
    with pytest.raises(StoreError, match=r"photos\.db.lock is a symbolic link; delete"):
        FileLock(lock, tmp_path / "photos.db")
    assert lock.is_symlink()
    assert target.exists() == exists
    assert not exists or target.read_text() == "precious"


def test_a_released_lock_leaves_nothing(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / ".photos.db.lock", tmp_path / "photos.db")
    lock.note_child(7)
    assert lock.path.read_text() == f"{os.getpid()}\n7\n"
    lock.release()
    lock.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs locks of open file descriptions")
def test_reading_the_lock_file_does_not_unlock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / ".images.db.lock", tmp_path / "images.db")
    assert lock.path.read_bytes()
    try_lock = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    )
    command = [sys.executable, "-c", try_lock, str(lock.path)]
    assert b"BlockingIOError" in subprocess.run(command, capture_output=True, check=False).stderr
    lock.release()
    lock.path.touch()
    assert subprocess.run(command, check=False).returncode == 0
