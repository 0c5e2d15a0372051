"""What the errors of a Milvus server mean."""

from __future__ import annotations

import re

from clipsearch.errors import MissingCollectionError, StoreError, describe_error, shorten
from clipsearch.store.milvus_errors import is_too_large

NOT_FOUND = 100
"""The code of a server that does not have the collection."""

NO_INDEX = 700
"""The code while another process creates the collection, and after a kill of that process."""

GONE = frozenset({2, "UNAVAILABLE", "DEADLINE_EXCEEDED"})
"""Codes of pymilvus and gRPC while nothing listens, or a server that starts is not ready."""

NOT_READY = frozenset({101, 103, 503, NO_INDEX, 901, 902})
"""Codes of a server whose collection is not loaded, not completely, or not on a node that answers.
"""

RESTARTING = (
    "connection is closing",
    "empty grpc client",
    "no available",
    "node not found",
    "node not match",
    "not fully loaded",
    "not healthy",
    "not loaded",
    "not ready",
    "session not found",
)
"""Parts of messages that say so where the code says nothing (65535)."""

NO_DATABASE = 800
"""The code of a server that does not have the database."""

NO_ACCESS = frozenset({1800, "UNAUTHENTICATED", "PERMISSION_DENIED"})
"""Codes for a wrong password, none, or a user without the rights for this call."""

DENIED = ("auth check failure", "unauthenticated", "permission deny", "privilege")
"""Parts of messages that say so."""

_STACK_TRACE = re.compile(r"stack trace: (\S+\.go:\d+ \S+ )*\S+\.go:\d+ \S+\s*")


class MissingIndexError(StoreError):
    """A collection has no index: the process that created it was killed."""


def connecting(error: Exception, uri: str) -> StoreError:
    """Return our error for one of connecting to the server at `uri`."""
    reason: BaseException | None = error
    while isinstance(reason, Exception):  # pymilvus replaces errors of gRPC, but keeps the context
        if error_code(reason) in (NO_DATABASE, *NO_ACCESS) or _says(reason, DENIED):
            return translate(reason, uri, "")
        reason = reason.__context__
    return StoreError(
        f"no Milvus answers at {uri}: check that the server runs, the host and port, and whether "
        f"it is http or https ({describe_error(error)})"
    )


def translate(error: Exception, uri: str, collection: str) -> StoreError:
    """Return our error for one of a call on a collection, or on "", of the Milvus at `uri`."""
    code = error_code(error)
    if code == NOT_FOUND and collection:
        return MissingCollectionError(
            f"the collection {collection!r} is no longer in {uri}: another process dropped it"
        )
    if code == NO_INDEX:
        return MissingIndexError(
            f"the collection {collection!r} in {uri} has no index: its creation was interrupted"
        )
    if code == NO_DATABASE:
        return StoreError(
            f"{uri} has no such database: name another one (--database, or the end of the URI), or "
            "create it first"
        )
    if code in NO_ACCESS or _says(error, DENIED):
        return StoreError(
            f"Milvus at {uri} refuses access: set CLIPSEARCH_TOKEN (for `copy` from server to "
            "server, CLIPSEARCH_FROM_TOKEN and CLIPSEARCH_TO_TOKEN) to user:password or an API key "
            f"that has the rights ({_details(error)})"
        )
    return StoreError(f"Milvus at {uri} failed: {_reason(error)}")


def is_temporary(error: Exception) -> bool:
    """Tell whether the same call may succeed soon."""
    if is_too_large(str(error)):  # some of these say that they may be repeated
        return False
    code = error_code(error)
    if code in GONE or code in NOT_READY or getattr(error, "retriable", False):
        return True
    return _says(error, RESTARTING)


def error_code(error: Exception) -> int | str:
    """Return the code of an error of Milvus, the name of one of gRPC, 0 for others."""
    code = getattr(error, "code", 0)
    if callable(code):  # an error of gRPC that pymilvus did not wrap
        code = code()
    return code if isinstance(code, int) else str(getattr(code, "name", 0))


def _details(error: Exception) -> str:
    """Return what a server says in an error of gRPC, or the message of another error."""
    details = getattr(error, "details", None)
    return shorten(str(details())) if callable(details) else _reason(error)


def _reason(error: Exception) -> str:
    """Return the message without the stack traces that a server puts into it."""
    text = " ".join(str(getattr(error, "message", "") or error).split())
    return shorten(_STACK_TRACE.sub("", text) or type(error).__name__)


def _says(error: Exception, parts: tuple[str, ...]) -> bool:
    text = str(getattr(error, "message", "") or error).lower()
    return any(part in text for part in parts)
