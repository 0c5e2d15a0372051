"""A whole search by the daemon: one request, one response, and no numpy in this process."""

import logging
import os
import time
from functools import partial
from pathlib import Path

from clipsearch import errors
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
    query: Query, uri: StoreURI, token: str | None, collection: str, runtime: Runtime
) -> SearchResponse | None:
    """Search a collection by the daemon that serves its store.

    Returns None if there is no daemon, or if it leaves the search to the caller, as with a model
    that it cannot load, or an image that perhaps only this process can read. Raises what the
    search raises; DaemonLostError if the daemon cannot be used at all.
    """
    endpoint = find_endpoint(uri.key)
    if endpoint is None or any(_is_own_file(term.content) for term in query.terms):
        return None
    request = {
        "collection": collection,
        "runtime": runtime.options(),
        "query": request_json(query),
    }
    greeting = {
        "access_key": uri.access_key(token),
        "session": f"search {os.getpid()} {time.monotonic_ns()}",
        "create": False,
    }
    with connect(endpoint, "search", **greeting) as connection:
        try:
            send_message(connection, request)
            while "log" in (message := receive_message(connection, partial(check_alive, endpoint))):
                log.log(*message["log"])  # log messages of the library in the daemon
        except (OSError, EOFError, ValueError) as error:
            raise DaemonLostError(str(error)) from error
    if "error" in message:
        reason = _error(message["error"])
        if isinstance(reason, errors.ImageError):  # as of a link to /dev/stdin
            return None
        raise reason
    if "result" not in message:
        return None
    response = parse_response(message["result"])
    log_ignored_options(response.model, runtime)
    return response


def _is_own_file(content: object) -> bool:
    """Tell whether this is the name of another file in another process, as /dev/stdin is."""
    return isinstance(content, Path) and content.parts[:2] in (("/", "dev"), ("/", "proc"))


def _error(values: Message) -> errors.ClipsearchError:
    error = getattr(errors, values["type"], errors.StoreError)(values["message"])
    assert isinstance(error, errors.ClipsearchError)
    return error
