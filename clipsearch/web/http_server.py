"""The HTTP server: uvicorn, with a limit for the time that the headers of a request take."""

import asyncio
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from clipsearch.web.settings import Settings

KEEP_ALIVE_SECONDS = 15
"""How long a connection without a request stays open."""

MAX_HEADER_BYTES = 64 << 10


def http_config(app: ASGIApp, settings: Settings, **options: Any) -> uvicorn.Config:
    """Return the configuration of a `uvicorn.Server`; `options` are further ones of uvicorn."""
    limits = settings.limits

    class Protocol(TimedProtocol):
        header_seconds = limits.header_seconds

    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        **options,
    )


class TimedProtocol(H11Protocol):
    """Closes a connection on which a request begins and its headers do not arrive in time.

    uvicorn limits only the time until a next request begins, and not before the first one. A
    client that sends a byte now and then would hold its connection forever.
    """

    header_seconds = 15.0
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch_headers()

    def data_received(self, data: bytes) -> None:
        """Take what a client sent."""
        super().data_received(data)
        self._watch_headers()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._stop_timer()

    def _watch_headers(self) -> None:
        """Start the timer while no complete headers are here; stop it once they are."""
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_seconds, self._close_late)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _close_late(self) -> None:
        self._header_timer = None
        if not self.transport.is_closing():
            self.transport.close()
