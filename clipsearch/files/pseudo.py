"""Pseudo file systems such as /proc and /sys, whose files are not on any disk."""

import logging
from functools import cached_property

from clipsearch.files.mounts import read_mounts

log = logging.getLogger("clipsearch")

# fmt: off
TYPES = frozenset({
    "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devpts",
    "devtmpfs", "efivarfs", "functionfs", "fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs",
    "mqueue", "nfsd", "nsfs", "ocfs2_dlmfs", "openpromfs", "proc", "pstore", "resctrl",
    "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "spufs", "sysfs", "tracefs", "usbfs",
    "xenfs",
})
# fmt: on
"""Types whose files show the kernel's state, or other files again: reading one may change the
system, wait or never end. Not tmpfs, autofs or network disks, which hold or reach real files."""

_announced: set[int] = set()  # of the process, as `watch` walks its folders again and again


class PseudoFileSystems:
    """Tells pseudo file systems from others by `st_dev`; reads the list of mounts once."""

    def type_of(self, device: int) -> str | None:
        """Return the type of the pseudo file system with this `st_dev`; None for any other."""
        return self._types.get(device)

    def skips(self, device: int, folder: str) -> bool:
        """Whether a folder is on a pseudo file system; log the first folder of each, once."""
        if device not in self._types:
            return False
        if device not in _announced:
            _announced.add(device)
            log.info("skipped %s: %s", folder, describe(self._types[device]))
        return True

    @cached_property
    def _types(self) -> dict[int, str]:
        return {mount.device: mount.type for mount in read_mounts() if mount.type in TYPES}


def describe(kind: str) -> str:
    """Return the reason for skipping files on a pseudo file system of this type."""
    return f"a pseudo file system ({kind}), which holds no files of its own"
