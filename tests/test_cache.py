"""Atomic writes, and arrays cached by key."""

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from clipsearch.cache import ArrayCache, atomic_write, content_key


def test_a_file_is_replaced_when_the_block_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def interrupted() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "a.json"):
            pass
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "missing" / "a.json"):
        pass


def test_arrays_are_loaded_by_the_key_they_were_saved_with() -> None:
    cache = ArrayCache("test arrays")
    key, other = content_key("model", 1), content_key("model", 2)
    cache.save(key, {"vectors": np.eye(3, dtype=np.float32)})
    stored = cache.load(key)
    assert stored is not None
    np.testing.assert_array_equal(stored["vectors"], np.eye(3))
    assert cache.load(other) is None


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_a_damaged_file_counts_as_not_cached(content: bytes) -> None:
    cache = ArrayCache("test damage")
    cache.save("key", {"a": np.zeros(2)})
    (cache.folder / "key.npz").write_bytes(content)
    assert cache.load("key") is None


def test_a_folder_that_cannot_be_created_is_not_an_error() -> None:
    cache = ArrayCache("test file")
    cache.folder.parent.mkdir(parents=True, exist_ok=True)
    cache.folder.write_text("a file in the place of the folder")
    cache.save("key", {"a": np.zeros(2)})
    assert cache.load("key") is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_the_user_can_read_a_cached_file() -> None:
    cache = ArrayCache("private")
    cache.save("key", {"a": np.zeros(1)})
    assert stat.S_IMODE((cache.folder / "key.npz").stat().st_mode) == 0o600
