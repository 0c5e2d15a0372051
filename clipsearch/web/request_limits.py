"""Middleware that limits requests: how many at a time, the size of a body, and seconds.

It also cancels the work for a client that hangs up.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
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
        self._running = self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = scope["path"] in UPLOADS
        if self._running >= self._limits.concurrency or (
            is_upload and self._uploads >= self._limits.uploads
        ):
            raise BusyProblem
        max_bytes = self._limits.upload_bytes if is_upload else self._limits.body_bytes
        body = _Body(receive, max_bytes, self._limits.body_seconds)
        body.check_length(Headers(scope=scope).get("content-length", "0"))
        self._running += 1
        self._uploads += is_upload
        try:
            await _Exchange(body, send, self._limits).run(self._app, scope)
        finally:
            self._running -= 1
            self._uploads -= is_upload


class _Body:
    """Receives a body of limited size in limited time, and after that a hang-up."""

    def __init__(self, receive: Receive, max_bytes: int, seconds: float) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._bytes = 0
        self.is_complete = False

    def check_length(self, length: str) -> None:
        if not length.isdecimal() or len(length) > 18 or int(length) > self._max_bytes:
            raise self._too_large()

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            late = "the body of the request did not arrive in time"
            raise Problem(408, late, headers={"Connection": "close"}) from None
        self.is_complete = not message.get("more_body", False)
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._max_bytes:
            raise self._too_large()
        return message

    async def wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _too_large(self) -> Problem:
        return Problem(
            413,
            f"the body of the request exceeds {self._max_bytes:,} bytes",
            headers={"Connection": "close"},
        )


class _Exchange:
    """One request and its response."""

    def __init__(self, body: _Body, send: Send, limits: Limits) -> None:
        self._body = body
        self._send_on = send
        self._limits = limits
        self._disconnected = asyncio.Event()
        self._has_body = True
        self._is_head = False
        self._has_started = self._is_sent = self._is_late = False
        self._task: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        loop = asyncio.get_running_loop()
        if scope["method"] == "HEAD":  # is GET without the body, for every route
            scope, self._is_head = {**scope, "method": "GET"}, True
        self._task = loop.create_task(self._call(app, scope))
        seconds = self._limits.body_seconds + self._limits.seconds
        timer = loop.call_later(seconds, self._give_up)
        # Their routes read no body, so nothing else would notice that the client is gone.
        if scope["method"] == "GET":
            self._has_body = False
            self._watcher = loop.create_task(self._watch())
        try:
            await self._task
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            if self._is_late:
                raise BusyProblem("the response took too long: try again") from None
            if not self._disconnected.is_set():
                raise
        finally:
            timer.cancel()
            if self._watcher is not None:
                self._watcher.cancel()

    async def _call(self, app: ASGIApp, scope: Scope) -> None:
        await app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        """Return the parts of the body, then wait for a hang-up; called by the app."""
        if not self._has_body:
            self._has_body = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._watcher is None:
            message = await self._body.receive()
            if self._body.is_complete:
                self._watcher = asyncio.get_running_loop().create_task(self._watch())
            return message
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._is_head and self._is_sent:
            return
        self._has_started = True
        try:
            async with asyncio.timeout(self._limits.send_seconds):
                await self._send_on(message)
        except TimeoutError:  # the client does not take it
            raise ClientDisconnect from None
        if self._is_head:
            await self._send_on({"type": "http.response.body", "body": b""})
            self._is_sent = True
            self._hang_up()
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_sent = True

    async def _watch(self) -> None:
        await self._body.wait_for_disconnect()
        if not self._is_sent:
            self._hang_up()
        self._disconnected.set()

    def _hang_up(self) -> None:
        """End the work for a client that wants no more."""
        self._disconnected.set()
        if self._task is not None:
            self._task.cancel()

    def _give_up(self) -> None:
        if not self._has_started and self._task is not None:
            self._is_late = True
            self._task.cancel()
