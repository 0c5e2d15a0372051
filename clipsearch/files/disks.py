"""The disks that hold some folders, by their mount points, on Linux."""

from collections.abc import Sequence
from pathlib import Path

from clipsearch.files.mounts import read_mounts
from clipsearch.files.pseudo import TYPES

_WITHOUT_DISK = TYPES | {"autofs"}
"""Types of mounts without files of their own; autofs is there whether a disk is or not."""


def mounted_disks(folders: Sequence[Path]) -> frozenset[Path]:
    """Return the mount points of the disks that hold canonical folders or what is below them.

    Without the root of the file system, which is always there. Empty if the system cannot tell.
    """
    points = {mount.point for mount in read_mounts() if mount.type not in _WITHOUT_DISK}
    below = {point for point in points if any(map(point.is_relative_to, folders))}
    above = {
        next((path for path in (folder, *folder.parents) if path in points), Path("/"))
        for folder in folders
    }
    return frozenset(below | above) - {Path("/")}
