"""Calls of a server that restarts meanwhile, or on which somebody released a collection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from clipsearch.store.milvus_errors import foreign_errors
from clipsearch.store.server_errors import GONE, NO_INDEX, error_code, is_temporary

T = TypeVar("T")

RESTART_SECONDS = 120.0
"""How long calls wait for a server: a restart with 100,000 rows takes up to 45 s here."""

INDEX_SECONDS = 5.0
"""How long calls wait for the index of a collection that another process creates."""

MAX_PAUSE = 2.0

log = logging.getLogger("clipsearch")


def repeat(call: Callable[[], T], *, uri: str, forget: Callable[[], None]) -> T:
    """Make a call, and again for RESTART_SECONDS while the server restarts or loads.

    The call must load what it needs; `forget` lets it load again. Raises its last error.
    """
    deadline = time.monotonic() + RESTART_SECONDS
    pause, has_gone = 0.05, False
    while True:
        try:
            result = call()
        except foreign_errors() as error:
            if error_code(error) == NO_INDEX:
                deadline = min(deadline, time.monotonic() + INDEX_SECONDS)
            if not is_temporary(error) or time.monotonic() + pause > deadline:
                raise
            if error_code(error) in GONE and not has_gone:
                has_gone = True
                log.warning(
                    "Milvus at %s does not answer, waiting up to %.0f s", uri, RESTART_SECONDS
                )
            forget()
            time.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)
        else:
            if has_gone:
                log.info("Milvus at %s answers again", uri)
            return result
