"""The outcome of a request to the daemon: a result, an error or a failure."""

import logging
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

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


def picklable_call(call: Callable[..., Any], target: str, *arguments: Any, **options: Any) -> Any:
    """Make a call of LocalCalls; return its result without classes that a client may lack."""
    result = call(target, *arguments, **options)
    return _plain_result(arguments[0], result) if target == "store" else result


def picklable(error: ClipsearchError) -> ClipsearchError:
    """Return the error itself if it can be pickled, else a StoreError with its message."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - an error may carry anything
        return StoreError(str(error))
    return error


def _plain_result(method: str, result: Any) -> Any:
    """Return the result of a Backend's method without classes of pymilvus, vectors as arrays."""
    if method == "query":
        return [_plain_entity(entity) for entity in result]
    if method == "search":
        return [[(score, _plain_entity(entity)) for score, entity in hits] for hits in result]
    return result


def _plain_entity(entity: Any) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in entity.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, str | int | float | np.ndarray) or value is None:
        return value
    if isinstance(value, dict):
        return dict(value)
    items = list(value)
    return np.asarray(items, dtype=np.float32) if items and isinstance(items[0], float) else items
