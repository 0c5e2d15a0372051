"""The errors of pymilvus and of what it uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clipsearch.errors import (
    DamagedStoreError,
    RefusedRowsError,
    StoreError,
    describe_error,
)
from clipsearch.startup import import_pymilvus

INVALID_ROW = frozenset({1100, 1101, 1102})
"""Codes of a server that refuses a request since a parameter is invalid, missing or too large."""

_TOO_LARGE = ("larger than max", "exceed the limit size", "exceeds the max result size")
"""What gRPC, a query node and a proxy say of a message that is too large."""

_UNREADABLE = (
    "failed to parse insert data",
    "field_id_to_offset",
    "Fail connecting to server",
)
"""What Milvus Lite 2.5 says, or pymilvus if it ends, as it loads a collection with such a row."""

_RAISING = {
    "pymilvus.exceptions": ("MilvusException",),
    "grpc": ("RpcError", "FutureTimeoutError"),
}


def foreign_errors() -> tuple[type[Exception], ...]:
    """Return what a call may raise besides our errors.

    pymilvus's own errors, those of gRPC that it does not wrap, and those of a disk or of starting
    Milvus Lite again. Imports nothing: after Ctrl-C within an import of pymilvus, a second import
    fails, and that error would replace the first.
    """
    found: list[type[Exception]] = [OSError]
    for module, names in _RAISING.items():
        loaded = sys.modules.get(module)
        found += [getattr(loaded, name) for name in names if hasattr(loaded, name)]
    return tuple(found)


def is_too_large(reason: str) -> bool:
    """Tell whether an error says that a request or its answer is too large for a message."""
    return any(sign in reason for sign in _TOO_LARGE)


def explain_lite(uri: str, reason: str, *, died: bool) -> StoreError | None:
    """Return the error for a failure of Milvus Lite that has ended, or cannot read a row."""
    if died:
        return StoreError(
            f"{uri}: Milvus Lite ended: {reason or 'it gave no reason'}; run the command again; if "
            "it ends again, `clipsearch check` tells whether the file is damaged"
        )
    if any(sign in reason for sign in _UNREADABLE):
        return DamagedStoreError(
            f"{uri} is damaged: Milvus Lite cannot read a row: `clipsearch check --repair` "
            "restores it from its image file"
        )
    return None


@contextmanager
def refusing_rows(uri: str) -> Iterator[None]:
    """Raise RefusedRowsError for what pymilvus or Milvus raises if a value does not fit."""
    exceptions: Any = import_pymilvus().exceptions
    try:
        yield
    except (TypeError, ValueError, OverflowError, exceptions.ParamError) as error:
        reason: Exception = error  # pymilvus packs the values into a message
    except exceptions.MilvusException as error:
        if not isinstance(error, exceptions.DataNotMatchException) and (
            error.code not in INVALID_ROW
        ):
            raise
        reason = error
    else:
        return
    raise RefusedRowsError(f"{uri} does not accept the data: {describe_error(reason)}") from reason
