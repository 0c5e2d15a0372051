"""Temporary folders of killed processes are removed, those in use are not."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Milvus Lite 2.5 has no Windows")


def test_only_abandoned_folders_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipsearch.store import lite_folder

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(lite_folder, "SOCKET_BYTES", 1_000)
    used, abandoned = lite_folder.LiteFolder(), lite_folder.LiteFolder()
    inherited = os.dup(used.fd)  # as a child of Milvus Lite does
    for folder in (used, abandoned):
        Path(folder.path, "0").touch()
        os.close(folder.fd)  # as the kernel does after a kill
    starting = tmp_path / f"{lite_folder.PREFIX}new"
    starting.mkdir()  # not locked yet
    other = tmp_path / "clipsearch-other"
    other.mkdir()
    (other / "file").touch()
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").touch()
    (tmp_path / f"{lite_folder.PREFIX}link").symlink_to(target)
    new = lite_folder.LiteFolder()
    assert not Path(abandoned.path).exists()
    for kept in (used.path, new.path, starting, other / "file", target / "file"):
        assert Path(kept).exists()
    os.close(inherited)
    new.remove()
    assert not Path(new.path).exists()


def test_a_short_path_is_chosen_for_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipsearch.store import lite_folder

    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = lite_folder.LiteFolder()
    assert len(f"{folder.path}/100") <= lite_folder.SOCKET_BYTES
    folder.remove()
