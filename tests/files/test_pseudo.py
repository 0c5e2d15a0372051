"""Pseudo file systems are recognized by their type, and never entered."""

import logging
import os
from pathlib import Path

import pytest

from clipsearch.files import mounts, pseudo
from clipsearch.files.discover import FileSource
from clipsearch.files.pseudo import PseudoFileSystems
from clipsearch.files.walk import FileSelection
from clipsearch.types import Failure
from tests.helpers.fakes import draw

MOUNTS = b"""\
22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw
24 27 0:6 / /dev rw - devtmpfs devtmpfs rw,size=1k
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:50 / /mnt/my\\040disk rw shared:9 master:3 - nfs4 server:/proc rw
41 27 0:51 / /run/user/1000/doc rw - fuse.portal portal rw
42 27 0:52 / /mnt/sshfs rw - fuse.sshfs me@host:/sys rw
43 27 0:53 / /home rw - autofs systemd-1 rw
"""

linux = pytest.mark.skipif(not mounts.MOUNTS.exists(), reason="needs /proc of Linux")


def test_types_are_those_of_the_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_bytes(MOUNTS)
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    systems = PseudoFileSystems()
    types = {minor: systems.type_of(os.makedev(0, minor)) for minor in (21, 6, 23, 50, 51, 52, 53)}
    assert {minor: kind for minor, kind in types.items() if kind} == {
        21: "proc",
        6: "devtmpfs",
        51: "fuse.portal",
    }
    assert systems.type_of(os.makedev(254, 0)) is None


def test_without_a_list_of_mounts_nothing_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "missing")
    assert not PseudoFileSystems().skips(tmp_path.stat().st_dev, str(tmp_path))


@linux
def test_links_into_proc_are_not_followed_and_each_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "clipsearch")
    monkeypatch.setattr(pseudo, "_announced", set())
    root = tmp_path.resolve()
    image = draw(root / "a.png")
    (root / "kernel").symlink_to("/proc/sys")
    (root / "process").symlink_to("/proc/self")
    (root / "mounts").symlink_to("/proc/self/mounts")
    (root / "mounts.jpg").symlink_to("/proc/self/mounts")
    (root / "broken").symlink_to("/proc/no-such-file")
    source = FileSource([root], FileSelection(follow_links=True))
    assert [item.path for item in source] == [image]
    assert source.count() == 1
    # `watch` makes a source for each of its runs.
    assert len(list(FileSource([root], FileSelection(follow_links=True)))) == 1
    [record] = caplog.records
    assert "skipped /proc/" in record.message
    assert "(proc)" in record.message


@linux
@pytest.mark.parametrize("strict", [True, False])
def test_a_pseudo_file_system_that_is_named_is_a_failure_and_not_a_root(
    tmp_path: Path, strict: bool
) -> None:
    image = draw(tmp_path.resolve() / "a.png")
    (tmp_path / "link").symlink_to("/proc")
    (tmp_path / "mounts.png").symlink_to("/proc/self/mounts")
    named = [Path("/proc"), Path("/proc/self"), Path("/proc/self/mounts")]
    named += [tmp_path / "link", tmp_path / "mounts.png"]
    with image.open("rb") as stream:
        named.append(Path(f"/proc/self/fd/{stream.fileno()}"))
        items = list(FileSource([*named, image], strict=strict))
    failures = [item for item in items if isinstance(item, Failure)]
    assert len(failures) == len(named) - 1  # the link and /proc are one
    assert all("pseudo file system (proc)" in failure.reason for failure in failures)
    assert [item.path for item in items if not isinstance(item, Failure)] == [image]
    assert FileSource(named[:-1]).roots == []


def test_the_lock_of_a_store_is_not_opened(tmp_path: Path) -> None:
    lock = tmp_path.resolve() / ".images.db.lock"
    lock.write_bytes(b"1\n")
    assert list(FileSource([lock])) == [Failure(lock, "the lock of a store", "invalid")]
