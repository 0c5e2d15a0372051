"""Connecting to the daemon: the greeting, and the requests that need no more than it."""

import contextlib
import logging
import os
import socket
import time
from typing import Any, Literal

from clipsearch.daemon.endpoint import Endpoint, fingerprint, is_own_peer
from clipsearch.daemon.protocol import GREETING_BYTES, Message, receive_message, send_message

log = logging.getLogger("clipsearch")

GREETING_SECONDS = 10.0
"""Timeout of a greeting. The daemon answers it at once, but the machine may be busy."""
CALL_SECONDS = 10.0
"""Time without a response to a call after which the client checks that the daemon lives."""
STOP_SECONDS = 20.0
"""How long a daemon may take to finish its current calls when it is asked to stop."""


class DaemonLostError(Exception):
    """The daemon cannot do it: use the store and the model without it."""


def connect(
    endpoint: Endpoint, purpose: Literal["calls", "request"], **fields: object
) -> socket.socket:
    """Connect for calls or a request, which need the same code on both sides.

    Raises DaemonLostError if the daemon refuses or does not answer. An idle daemon of another
    version is stopped, and has closed the store when this returns. One that a command writes
    through keeps running.
    """
    greeting = {
        "request": "connect",
        "purpose": purpose,
        "fingerprint": fingerprint(),
        "pid": os.getpid(),
        **fields,
    }
    try:
        connection, response = _greet(endpoint, greeting)
    except TimeoutError as error:
        log.warning("the daemon of this store does not answer: `clipsearch warm --stop` ends it")
        raise DaemonLostError(str(error)) from error
    except (OSError, EOFError, ValueError) as error:  # a socket that a killed daemon left
        raise DaemonLostError(str(error)) from error
    if response.get("response") != "accepted":
        connection.close()
        if response.get("response") == "outdated":
            _stop_outdated(endpoint, response)
        elif "response" not in response:
            log.warning(
                "the daemon of this store is of a version that this one cannot talk to: "
                "`clipsearch warm --stop` ends it"
            )
        raise DaemonLostError(str(response.get("response")))
    connection.settimeout(CALL_SECONDS)
    return connection


def check_alive(endpoint: Endpoint) -> None:
    """Raise DaemonLostError if the daemon does not answer any more."""
    if send_request(endpoint, "status") is None:
        raise DaemonLostError("the daemon does not answer any more")


def send_request(endpoint: Endpoint, request: str, **fields: Any) -> Message | None:
    """Send a daemon "status", "stop" or "extend"; return its response, or None without one."""
    try:
        connection, response = _greet(endpoint, {"request": request, **fields})
    except (OSError, EOFError, ValueError):
        return None
    connection.close()
    return response


def stop(endpoint: Endpoint, *, seconds: float = STOP_SECONDS) -> bool:
    """Ask a daemon to stop and wait until it has closed the store; tell whether it has."""
    try:
        connection, _ = _greet(endpoint, {"request": "stop"})
    except TimeoutError:
        return False
    except (OSError, EOFError, ValueError):  # there is no daemon
        return True
    with connection:
        deadline = time.monotonic() + seconds
        connection.settimeout(seconds)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while connection.recv(1):  # the daemon sends nothing more; closing ends this
                if time.monotonic() > deadline:
                    break
            return True
    return False


def _stop_outdated(endpoint: Endpoint, response: Message) -> None:
    if response.get("url") is not None:
        log.warning(
            "`clipsearch serve` (process %s, %s) runs another version of clipsearch or of its "
            "packages: restart it",
            response["pid"],
            response["url"],
        )
        return
    if response.get("writer") is not None:
        log.warning(
            "the daemon of this store runs another version of clipsearch or of its packages, "
            "and process %s is writing through it: run the command again when that has "
            "finished",
            response["writer"],
        )
        return
    log.info("stopping the daemon, which runs another version of clipsearch or its packages")
    stop(endpoint)


def _greet(endpoint: Endpoint, greeting: Message) -> tuple[socket.socket, Message]:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(GREETING_SECONDS)
        connection.connect(str(endpoint.socket))
        if not is_own_peer(connection):
            raise ConnectionRefusedError("the socket belongs to another user")
        send_message(connection, greeting)
        return connection, receive_message(connection, max_bytes=GREETING_BYTES)
    except BaseException:
        connection.close()
        raise
