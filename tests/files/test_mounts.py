"""The mount points below folders."""

from pathlib import Path

import pytest

from clipsearch.files import mounts

INFO = rb"""22 27 0:21 / / rw shared:7 - ext4 /dev/sda rw
30 22 0:33 / /data/My\\040Disk rw,noatime - ext4 /dev/sdb1 rw
31 22 0:34 / /data2 rw - nfs host:/x rw
"""


def test_only_those_below_the_folders_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    assert mounts.mount_points([Path("/data")]) == frozenset()
    (tmp_path / "mountinfo").write_bytes(INFO.replace(b"\\\\", b"\\"))
    assert mounts.mount_points([Path("/data")]) == {Path("/data/My Disk")}
    assert mounts.mount_points([Path("/data2")]) == {Path("/data2")}
