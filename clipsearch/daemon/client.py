"""A session with the daemon: calls of the store and of the model."""

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from typing import Any

from clipsearch.daemon import protocol
from clipsearch.daemon.endpoint import Endpoint, find_endpoint, fingerprint, is_own_peer

log = logging.getLogger("clipsearch")

GREETING_SECONDS = 10.0
"""Timeout of a greeting. The daemon answers it at once, but the machine may be busy."""
CALL_SECONDS = 10.0
"""Time without a response to a call after which the client checks that the daemon lives."""
STOP_SECONDS = 20.0
"""How long a daemon may take to finish its current calls when it is asked to stop."""


class DaemonLostError(Exception):
    """The daemon cannot do it: use the store or model directly. Never raised to callers."""


class DaemonClient:
    """One session with a daemon; it reconnects after an interrupted call."""

    def __init__(self, endpoint: Endpoint, *, access_key: str, create: bool) -> None:
        """Use `DaemonClient.find` instead."""
        self._endpoint = endpoint
        self._access_key = access_key
        self._create = create
        # One id for all connections: what the session holds survives Ctrl-C within a call.
        self._session_id = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._children: list[DaemonClient] = []

    @classmethod
    def find(cls, store_key: str, access_key: str, *, create: bool) -> "DaemonClient | None":
        """Connect to the daemon of a store; return None if there is none that can be used.

        `access_key` is the StoreURI's; `create` tells whether a missing file may be created. An
        idle daemon of another version is stopped, and has closed the store when this returns. One
        that a command writes through keeps running.
        """
        endpoint = find_endpoint(store_key)
        if endpoint is None:
            return None
        client = cls(endpoint, access_key=access_key, create=create)
        try:
            client._connect()
        except DaemonLostError:
            return None
        return client

    def open_another(self) -> "DaemonClient":
        """Return one more session with this daemon, for another thread; `close` closes both."""
        child = DaemonClient(self._endpoint, access_key=self._access_key, create=self._create)
        self._children.append(child)
        return child

    def call(self, target: str, *arguments: Any, **options: Any) -> Any:
        """Call a method in the daemon and return its result.

        Raises what the method raises, or DaemonLostError if the daemon cannot do it.
        """
        with self._lock:
            try:
                kind, value = self._exchange((target, arguments, options))
            except (OSError, EOFError, DaemonLostError) as error:
                self._disconnect()
                raise DaemonLostError(str(error)) from error
            except BaseException:  # Ctrl-C: a response that still comes must not be read later
                self._disconnect()
                raise
        if kind == "error":
            raise value
        if kind == "failure":
            raise DaemonLostError(value)
        return value

    def close(self) -> None:
        """End the session; may be called more than once."""
        with self._lock:
            self._disconnect()
        for child in self._children:
            child.close()

    def _exchange(self, request: object) -> tuple[str, Any]:
        connection = self._connection or self._connect()
        protocol.send(connection, request)
        while True:
            kind, value = protocol.receive(connection, self._check_alive)
            if kind != "log":
                return kind, value
            log.log(*value)  # log messages of the library in the daemon

    def _connect(self) -> socket.socket:
        greeting = {
            "request": "connect",
            "fingerprint": fingerprint(),
            "access_key": self._access_key,
            "session": self._session_id,
            "pid": os.getpid(),
            "create": self._create,
        }
        try:
            connection, response = _greet(self._endpoint, greeting)
        except TimeoutError as error:
            log.warning(
                "the daemon of this store does not answer: `clipsearch warm --stop` ends it"
            )
            raise DaemonLostError(str(error)) from error
        except (OSError, EOFError, ValueError) as error:  # a socket that a killed daemon left
            raise DaemonLostError(str(error)) from error
        if response.get("response") != "accepted":
            connection.close()
            if response.get("response") == "outdated":
                self._stop_outdated(response)
            elif "response" not in response:
                log.warning(
                    "the daemon of this store is of a version that this one cannot talk to: "
                    "`clipsearch warm --stop` ends it"
                )
            raise DaemonLostError(str(response.get("response")))
        connection.settimeout(CALL_SECONDS)
        self._connection = connection
        return connection

    def _stop_outdated(self, response: protocol.Greeting) -> None:
        if response.get("writer") is not None:
            log.warning(
                "the daemon of this store runs another version of clipsearch or of its packages, "
                "and process %s is writing through it: run the command again when that has "
                "finished",
                response["writer"],
            )
            return
        log.info("stopping the daemon, which runs another version of clipsearch or its packages")
        stop(self._endpoint)

    def _check_alive(self) -> None:
        if send_request(self._endpoint, "status") is None:
            raise DaemonLostError("the daemon does not answer any more")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def send_request(endpoint: Endpoint, request: str, **fields: Any) -> protocol.Greeting | None:
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


def _greet(
    endpoint: Endpoint, greeting: protocol.Greeting
) -> tuple[socket.socket, protocol.Greeting]:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(GREETING_SECONDS)
        connection.connect(str(endpoint.socket))
        if not is_own_peer(connection):
            raise ConnectionRefusedError("the socket belongs to another user")
        protocol.send_greeting(connection, greeting)
        return connection, protocol.receive_greeting(connection)
    except BaseException:
        connection.close()
        raise
