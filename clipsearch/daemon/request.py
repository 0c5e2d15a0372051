"""Whole requests to the daemon, as JSON, and no numpy in this process."""

import logging
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

from clipsearch import errors
from clipsearch.consistency import DEFAULT, Consistency
from clipsearch.daemon.connection import DaemonLostError, check_alive, connect
from clipsearch.daemon.endpoint import find_endpoint
from clipsearch.daemon.protocol import Message, receive_message, send_message
from clipsearch.models.runtime import Runtime, log_ignored_options
from clipsearch.query.query import Query
from clipsearch.query.request import request_json
from clipsearch.query.response import SearchResponse, parse_response
from clipsearch.uri import StoreURI

log = logging.getLogger("clipsearch")


def search(
    query: Query,
    uri: StoreURI,
    token: str | None,
    collection: str,
    runtime: Runtime,
    consistency: Consistency = DEFAULT,
) -> SearchResponse | None:
    """Search a collection by the daemon that serves its store.

    Returns None if there is no daemon, or if it leaves the search to the caller, as with a model
    that it cannot load, or an image that perhaps only this process can read. Raises what the
    search raises; DaemonLostError if the daemon cannot be used at all.
    """
    if any(_is_own_file(term.content) for term in query.terms):
        return None
    request = {
        "collection": collection,
        "runtime": runtime.options(),
        "query": request_json(query),
        "consistency": consistency,
    }
    try:
        result = _ask("search", request, uri, token)
    except errors.ImageError:  # as of a link to /dev/stdin
        return None
    if result is None:
        return None
    response = parse_response(result)
    log_ignored_options(response.model, runtime)
    return response


def store_status(uri: StoreURI, token: str | None) -> dict[str, Any] | None:
    """Return the state of the store of a daemon; None without a daemon.

    See `clipsearch.query.store_status`. Raises likewise, and DaemonLostError.
    """
    return _ask("status", {}, uri, token)


def _ask(method: str, request: Message, uri: StoreURI, token: str | None) -> dict[str, Any] | None:
    """Return the daemon's result; None if there is no daemon, or if it refuses.

    Raises the daemon's ClipsearchError, or DaemonLostError.
    """
    endpoint = find_endpoint(uri.key)
    if endpoint is None:
        return None
    greeting = {
        "access_key": uri.access_key(token),
        "session": f"{method} {os.getpid()} {time.monotonic_ns()}",
        "create": False,
    }
    with connect(endpoint, "request", **greeting) as connection:
        try:
            send_message(connection, {"method": method, **request})
            while "log" in (message := receive_message(connection, partial(check_alive, endpoint))):
                log.log(*message["log"])  # log messages of the library in the daemon
        except (OSError, EOFError, ValueError) as error:
            raise DaemonLostError(str(error)) from error
    if "error" in message:
        raise _error(message["error"])
    return message.get("result")


def _is_own_file(content: object) -> bool:
    """Tell whether this is the name of another file in another process, as /dev/stdin is."""
    return isinstance(content, Path) and content.parts[:2] in (("/", "dev"), ("/", "proc"))


def _error(values: Message) -> errors.ClipsearchError:
    error = getattr(errors, values["type"], errors.StoreError)(values["message"])
    assert isinstance(error, errors.ClipsearchError)
    return error
