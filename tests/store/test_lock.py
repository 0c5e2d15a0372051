"""The lock file of a local store."""

import os
from pathlib import Path

import pytest

from clipsearch.errors import StoreError
from clipsearch.store.lock import FileLock

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
