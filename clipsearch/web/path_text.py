"""Paths as texts that travel unchanged: in JSON, in an address, through a form of a browser.

Names of files are bytes. A path that is not UTF-8, or has control characters, is written as the
`file://` URI of its bytes, as the store does. Clients may also send `\\udcXX` in JSON, as responses
have it, or `%XX` in an address.
"""

import os
from typing import Annotated, Any, TypeAlias
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

from pydantic import BeforeValidator, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from clipsearch.store.schema import as_uri, decode_path, needs_uri

PARAMETERS = frozenset({"under", "glob"})
"""Parameters of addresses that are paths or patterns of paths."""

MAX_LENGTH = len("file://") + 3 * 4_096


def to_path_text(path: str) -> str:
    """Return a path as a text that travels; raise ValueError if no file can have it."""
    try:
        return as_uri(path) if needs_uri(path) else path
    except UnicodeEncodeError as error:
        raise ValueError("it has a character that no path has") from error


def from_path_text(text: str) -> str:
    """Return the path of `to_path_text`, which may hold surrogates for bytes."""
    return os.fspath(decode_path(text)) if text.startswith("file://") else text


def _to_path_text(value: Any) -> Any:
    return to_path_text(value) if isinstance(value, str) else value


PathText: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_LENGTH), BeforeValidator(_to_path_text)
]
"""A path or a pattern of paths in a request, as `to_path_text` writes it."""


class PathParameters:
    """Middleware that rewrites paths in the query string which are not UTF-8.

    Otherwise the framework would replace their bytes.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            scope["query_string"] = with_path_texts(scope["query_string"])
        await self._app(scope, receive, send)


def with_path_texts(query: bytes) -> bytes:
    """Return a query string in which the paths that are not UTF-8 are as `to_path_text` says."""
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        text = query.decode("ascii", "surrogateescape")
        pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
        values = [
            (name, to_path_text(value) if name in PARAMETERS else value) for name, value in pairs
        ]
        return urlencode(values, errors="surrogateescape").encode()
    return query
