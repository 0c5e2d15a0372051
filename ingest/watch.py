"""Keep a collection current: ingest again after files have changed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Never

from clipsearch.files.changes import ChangeSource
from clipsearch.types import Failure

QUIET = 2.0
"""Seconds without a change before a run: a file that is still being written is not read."""

LONGEST_WAIT = 60.0
"""Seconds until a run if changes do not stop, and at most between attempts at a busy store."""

RESCAN = 3600.0
"""Seconds until a run without a change: no system reports every change of every disk."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one run left to do: files that failed, or everything if the store was busy."""

    failed: frozenset[Failure] = frozenset()
    is_busy: bool = False


def keep_current(run: Callable[[], RunResult], changes: ChangeSource) -> Never:
    """Run now and after each change, until an exception ends it.

    What failed is tried again without a change, too: soon, then more and more rarely.
    """
    failed: frozenset[Failure] = frozenset()
    patience = QUIET
    while True:
        started = time.monotonic()
        result = run()
        ended = time.monotonic()
        is_done = not (result.failed or result.is_busy)
        if is_done or result.failed - failed:
            patience = QUIET
        wait_for_change(changes, RESCAN if is_done else patience)
        # Every run looks at all files: in a large collection that takes at most half of the time.
        rest_until(changes, ended + min(ended - started, LONGEST_WAIT))
        failed = result.failed
        patience = min(2 * patience, LONGEST_WAIT if result.is_busy else RESCAN)


def wait_for_change(changes: ChangeSource, seconds: float) -> None:
    """Wait up to `seconds` for a change, then until QUIET seconds pass without one."""
    if not changes.wait(seconds):
        return
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline and changes.wait(QUIET):
        pass


def rest_until(changes: ChangeSource, moment: float) -> None:
    """Wait until `time.monotonic()` is `moment`; a change meanwhile belongs to the next run."""
    while (left := moment - time.monotonic()) > 0:
        changes.wait(left)
