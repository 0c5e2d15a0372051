"""A session with the daemon: calls of the store and of the model."""

import logging
import secrets
import socket
import threading
from functools import partial
from typing import Any

from clipsearch.daemon import pickles
from clipsearch.daemon.connection import DaemonLostError, check_alive, connect
from clipsearch.daemon.endpoint import Endpoint, find_endpoint

log = logging.getLogger("clipsearch")


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

        `access_key` is the StoreURI's; `create` tells whether a missing file may be created. For
        daemons of another version see `connect`.
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
        pickles.send(connection, request)
        while True:
            kind, value = pickles.receive(connection, partial(check_alive, self._endpoint))
            if kind != "log":
                return kind, value
            log.log(*value)  # log messages of the library in the daemon

    def _connect(self) -> socket.socket:
        self._connection = connect(
            self._endpoint,
            "calls",
            access_key=self._access_key,
            session=self._session_id,
            create=self._create,
        )
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
