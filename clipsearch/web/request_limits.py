"""Middleware that limits requests: how many at a time, the size of a body, and seconds."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipsearch.web.problems import BusyProblem, Problem
from clipsearch.web.settings import Limits

UPLOADS = frozenset({"/v1/query-images", "/v1/embeddings", "/v1/classify"})
"""Paths whose requests may contain an image."""


class RequestLimits:
    """Refuses what exceeds the limits."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        """Wrap an app."""
        self._app = app
        self._limits = limits
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._running >= self._limits.concurrency:
            raise BusyProblem
        is_upload = scope["path"] in UPLOADS
        body = _Body(
            receive,
            self._limits.upload_bytes if is_upload else self._limits.body_bytes,
            self._limits.body_seconds,
        )
        body.check_length(Headers(scope=scope).get("content-length", "0"))
        self._running += 1
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._running -= 1


class _Body:
    """Receives a body of limited size in limited time."""

    def __init__(self, receive: Receive, max_bytes: int, seconds: float) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._bytes = 0
        self._is_complete = False

    def check_length(self, length: str) -> None:
        if not length.isdecimal() or len(length) > 18 or int(length) > self._max_bytes:
            raise self._too_large()

    async def receive(self) -> Message:
        if self._is_complete:  # waits until the client disconnects
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                408,
                "the body of the request did not arrive in time",
                headers={"Connection": "close"},
            ) from None
        self._is_complete = not message.get("more_body", False)
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._max_bytes:
            raise self._too_large()
        return message

    def _too_large(self) -> Problem:
        return Problem(413, f"the body of the request exceeds {self._max_bytes:,} bytes")
