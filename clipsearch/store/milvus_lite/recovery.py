"""Completing a write within which a process was killed."""

from __future__ import annotations

import logging
from typing import Any

from clipsearch.errors import RefusedRowsError, StoreError, describe_error
from clipsearch.store.milvus_errors import foreign_errors, refusing_rows
from clipsearch.store.milvus_lite.redo_log import RedoLog

LITE_CALL_SECONDS, LITE_ROW_SECONDS = 20.0, 0.05
"""Limit of a call of Milvus Lite, and what each row adds to a write: ten times what a slow disk
takes. On a file that is damaged meanwhile, Milvus Lite 2.5.1 tries again for ever."""

log = logging.getLogger("clipsearch")


def lite_write_seconds(rows: int) -> float:
    """Return the time limit of a write of so many rows to Milvus Lite."""
    return LITE_CALL_SECONDS + rows * LITE_ROW_SECONDS


def write_again(client: Any, redo: RedoLog, uri: str) -> None:
    """Write the rows of the redo log, if there are any, and remove it.

    Raises StoreError, and leaves it, if that fails.
    """
    interrupted = redo.read()
    if interrupted is not None:
        name, entities = interrupted
        seconds = lite_write_seconds(len(entities))
        try:
            if client.has_collection(name, timeout=seconds):  # else it was dropped
                client.load_collection(name, timeout=seconds)
                with refusing_rows(uri):
                    client.upsert(name, entities, timeout=seconds)
                log.info("completed a write of %s rows that was interrupted", len(entities))
        except RefusedRowsError as error:  # the interrupted command would have got it, too
            log.warning("%s", error)
        except foreign_errors() as error:
            raise StoreError(
                f"{uri}: a write that was interrupted cannot be completed: {describe_error(error)};"
                f" try again, or delete {redo.path} to give up its rows"
            ) from error
    redo.remove()
