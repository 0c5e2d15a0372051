"""The mounted file systems, on Linux."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""The list of mounts; other systems have no such file."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: the `st_dev` of its files, its mount point, its type ("ext4", …)."""

    device: int
    point: Path
    type: str


def read_mounts() -> list[Mount]:
    """Return the mounted file systems; none if the system cannot tell."""
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return []
    return [_parse(line) for line in lines if line]


def _parse(line: bytes) -> Mount:
    """Parse a line of proc_pid_mountinfo(5): `22 27 0:21 / /proc rw - proc proc rw`."""
    mount, _, source = line.partition(b" - ")
    _, _, device, _, point, *_ = mount.split(b" ")
    major, _, minor = device.partition(b":")
    return Mount(
        os.makedev(int(major), int(minor)),
        Path(os.fsdecode(_unquote(point))),
        source.partition(b" ")[0].decode("utf-8", "replace"),
    )


def _unquote(path: bytes) -> bytes:
    """Decode the octal codes of spaces and other characters."""
    return re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), path)
