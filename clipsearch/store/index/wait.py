"""Waiting until the index of a server covers the rows that were written."""

from __future__ import annotations

import time
from collections.abc import Callable

from clipsearch.store.backend import Backend

WAIT_SECONDS = 3_600.0
POLL_SECONDS = 0.5


def wait_for_index(
    backend: Backend,
    name: str,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    seconds: float = WAIT_SECONDS,
) -> int:
    """Wait until the index covers the rows that were written so far; return how many it does not.

    Rows of Milvus Lite need no index. `on_progress` gets the number of covered rows and of all.
    An interruption stops the waiting, not the server.
    """
    deadline = time.monotonic() + seconds
    first = coverage = backend.index_coverage(name)
    while True:
        # Either what was written before, or all that has replaced it.
        pending = min(coverage.pending(first.rows), coverage.pending_rows)
        if on_progress is not None:
            on_progress(max(0, first.total - pending), first.total)
        if not pending or time.monotonic() > deadline:
            return pending
        time.sleep(POLL_SECONDS)
        coverage = backend.index_coverage(name)
