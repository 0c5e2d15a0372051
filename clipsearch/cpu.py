"""The number of processor cores available to this process."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Return the cores by CPU affinity and container quota (cgroups v2 and v1); at least 1."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _quota(_CGROUP))))


def _quota(folder: Path) -> float:
    """Return the cores granted by a control group; infinite if there is no limit."""
    try:
        if (limits := folder / "cpu.max").is_file():
            quota, period = limits.read_text("ascii").split()
        else:
            quota, period = (
                (folder / "cpu" / f"cpu.cfs_{name}_us").read_text("ascii").strip()
                for name in ("quota", "period")
            )
        granted = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no such file
        return math.inf
    return granted if granted > 0 else math.inf  # -1 means no limit
