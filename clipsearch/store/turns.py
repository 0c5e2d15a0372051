"""Turns of writing: of several processes that use a daemon, one at a time may write."""

from __future__ import annotations

import time

from clipsearch.errors import BusyStoreError
from clipsearch.store.backend import Backend

PAUSE_SECONDS = 0.2


def wait_for_turn(backend: Backend) -> int:
    """Become the only writer, once no other process is; see `Backend.begin_writes`."""
    while True:
        try:
            return backend.begin_writes()
        except BusyStoreError:
            time.sleep(PAUSE_SECONDS)
