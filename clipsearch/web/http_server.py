"""The HTTP server: uvicorn in a thread, on a socket that is bound beforehand."""

import asyncio
import logging
import socket
import threading
import time

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from clipsearch.errors import ClipsearchError, UsageError

HEAD_SECONDS = 10.0
"""How long a client may take to send the head of a request, from its first byte on."""
CONNECTIONS = 512
"""Open connections; further ones are closed at once, before no file can be opened any more."""
FINISH_SECONDS = 10
"""How long requests may take to finish when the server stops."""


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket; raise UsageError if the host is unknown or the port in use."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen on {host} port {port}: {reason}: choose another --host or --port"
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address of a bound socket for browsers of this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class HttpServer:
    """Serves an application in a thread, between `start` and `stop`."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        """Use a bound socket, which `stop` closes."""
        self.url = url_of(listener)
        self._listener = listener
        # Clients can cause any number of warnings.
        logging.getLogger("python_multipart").setLevel(logging.ERROR)
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=FINISH_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Accept connections; raise ClipsearchError if the application does not start."""
        with self._starting:
            if not self._server.should_exit:
                self._thread.start()
        while self._thread.is_alive() and not self._server.started:
            time.sleep(0.005)
        if not self._server.started:
            raise ClipsearchError("the web server did not start: the log says why")

    def stop(self) -> None:
        """Finish the requests, for at most FINISH_SECONDS, then close all connections."""
        with self._starting:
            self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        self._server.run([self._listener])


class _Protocol(H11Protocol):
    """HTTP on one connection, closed if the head of a request takes too long."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head_timer is None:
            self._await_head()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.close()
