"""The outcome of a request to the daemon: a result, an error or a failure."""

import logging
import pickle
from collections.abc import Callable
from typing import Any

from clipsearch.daemon.shared_backend import ShutdownError
from clipsearch.errors import ClipsearchError, StoreError

log = logging.getLogger("clipsearch.daemon")


def attempt(name: str, action: Callable[[], Any]) -> tuple[str, Any]:
    """Return "result" and it, "error" and one for the caller, or "failure" and a reason."""
    try:
        return "result", action()
    except ShutdownError:
        raise
    except ClipsearchError as error:
        return "error", error
    except Exception as error:
        log.exception("%s failed", name)
        return "failure", f"{type(error).__name__}: {error}"


def picklable(error: ClipsearchError) -> ClipsearchError:
    """Return the error itself if it can be pickled, else a StoreError with its message."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - an error may carry anything
        return StoreError(str(error))
    return error
