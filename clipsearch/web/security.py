"""Middleware: who may ask for what, and which headers protect the responses.

Every request passes, from the outside: `Shield` (unexpected errors and headers), `HostCheck`,
`TokenCheck` (if there is a token) and `RequestLimits`.
"""

import logging
import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipsearch.escape import escape_control
from clipsearch.web.access import TokenCheck
from clipsearch.web.problems import Problem, problem_response
from clipsearch.web.request_limits import RequestLimits
from clipsearch.web.settings import Settings

log = logging.getLogger("clipsearch")

CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers hide the origin of forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every response that does not set them itself."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:.]*:[0-9a-f:.]*)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?",
    re.ASCII | re.IGNORECASE,
)
"""What browsers send: a name or an address, and a port. `urlsplit` accepts `x@name/path`, too."""


def add_security(app: FastAPI, settings: Settings) -> None:
    """Add the middleware; what is added last is the outermost."""
    app.add_middleware(RequestLimits, limits=settings.limits)
    if settings.token is not None:
        app.add_middleware(TokenCheck, token=settings.token)
    names = LOCAL_NAMES | {settings.host} | settings.allowed_hosts
    app.add_middleware(HostCheck, names=names, addresses=not settings.is_loopback)
    app.add_middleware(Shield)


class Shield:
    """Adds HEADERS, and makes a problem of every error that nothing else expected."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Problem as problem:
            if has_started:
                raise
            await problem_response(problem)(scope, receive, send_with_headers)
        except Exception:
            if has_started:
                raise
            log.exception("%s %s failed", scope["method"], escape_control(scope["path"]))
            failure = Problem(500, "an unexpected error, see the log of the server")
            await problem_response(failure)(scope, receive, send_with_headers)


class HostCheck:
    """Refuses other names of this server (DNS rebinding) and requests of other pages (CSRF)."""

    def __init__(self, app: ASGIApp, names: Collection[str], *, addresses: bool) -> None:
        """Allow these host names; with `addresses` also any IP address, which needs no DNS."""
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._allows_addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            self._check(Headers(scope=scope), scope["method"])
        await self._app(scope, receive, send)

    def _check(self, headers: Headers, method: str) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._allows(host := hosts[0]):
            raise Problem(
                421,
                "this server does not have the name in the Host header: "
                "`clipsearch serve --allowed-host NAME` allows it",
            )
        is_foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if method in SAFE_METHODS:
            # A link may lead here from anywhere, but another page gets no image or result.
            is_foreign = is_foreign and headers.get("sec-fetch-mode") != "navigate"
        else:
            origin = headers.get("origin")
            is_foreign = is_foreign or (origin is not None and _netloc(origin) != host.lower())
        if is_foreign:
            raise Problem(403, "requests of pages of another origin are refused")

    def _allows(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = (match["ipv6"] or match["name"]).lower()
        if name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return self._allows_addresses


def _netloc(origin: str) -> str | None:
    """Return host and port of an origin in lower case; None for `null` and malformed ones."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else None
