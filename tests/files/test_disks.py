"""The mount points of the disks that hold folders."""

from pathlib import Path

import pytest

from clipsearch.files import mounts
from clipsearch.files.disks import mounted_disks

INFO = rb"""22 27 0:21 / / rw shared:7 - ext4 /dev/sda rw
30 22 0:33 / /data/My\040Disk rw,noatime - ext4 /dev/sdb1 rw
31 22 0:34 / /data2 rw - nfs host:/x rw
32 22 0:35 / /data/auto rw - autofs systemd-1 rw
33 22 0:36 / /data/proc rw - proc proc rw
"""


def test_disks_below_and_above_folders_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    assert mounted_disks([Path("/data")]) == frozenset()
    (tmp_path / "mountinfo").write_bytes(INFO)
    assert mounted_disks([Path("/data")]) == {Path("/data/My Disk")}
    assert mounted_disks([Path("/data2")]) == {Path("/data2")}
    assert mounted_disks([Path("/data2/a/b"), Path("/home")]) == {Path("/data2")}
    assert mounted_disks([Path("/")]) == {Path("/data/My Disk"), Path("/data2")}
