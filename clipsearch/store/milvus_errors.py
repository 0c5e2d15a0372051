"""The errors of pymilvus and of what it uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clipsearch.errors import RefusedRowsError, describe_error
from clipsearch.startup import import_pymilvus

INVALID_ROW = frozenset({1100, 1101, 1102})
"""Codes of a server that refuses a request since a parameter is invalid, missing or too large."""


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
