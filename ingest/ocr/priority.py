"""The priority of threads that compute for hours."""

import os
import threading
from contextlib import suppress
from pathlib import Path

NICENESS = 10

_threads = threading.local()


def yield_to_others() -> None:
    """Let this thread give way to other programs from now on.

    Only Linux has a priority for each thread: elsewhere this does nothing.
    """
    if getattr(_threads, "is_nice", False):
        return
    _threads.is_nice = True
    if hasattr(os, "setpriority") and Path("/proc/self/task").exists():
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
