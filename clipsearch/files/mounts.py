"""Mount points of disks below folders, on Linux."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""The mounted file systems; other systems have no such file."""


def mount_points(folders: Iterable[Path]) -> frozenset[Path]:
    """Return the mount points at or below canonical folders; empty if the system cannot tell."""
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return frozenset()
    roots = tuple(folders)
    points = (Path(os.fsdecode(_unquote(line.split(b" ")[4]))) for line in lines if line)
    return frozenset(point for point in points if any(map(point.is_relative_to, roots)))


def _unquote(path: bytes) -> bytes:
    """Decode the octal codes of spaces and other characters, see proc_pid_mountinfo(5)."""
    return re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), path)
