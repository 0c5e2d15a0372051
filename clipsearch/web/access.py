"""Access with a token: as a Bearer header, or as a cookie that the login form sets."""

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from clipsearch.web.problems import Problem

COOKIE = "clipsearch_session"

OPEN_PATHS = ("/healthz", "/readyz", "/login", "/static/")
"""Paths without secrets: programs that watch the server have no token, nor has the login form."""


class TokenCheck:
    """Refuses requests without the token; a browser is sent to the login form."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        """Wrap an app."""
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"].startswith(OPEN_PATHS):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if has_access(headers, self._token):
            await self._app(scope, receive, send)
        elif scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            await RedirectResponse("/login", 303)(scope, receive, send)
        else:
            raise Problem(
                401,
                "this server needs a token: send the header `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": "Bearer"},
            )


def has_access(headers: Headers, token: str) -> bool:
    """Whether a request has the token, or the cookie that stands for it."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_token(given.strip(), token):
        return True
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return morsel is not None and is_token(morsel.value, cookie_value(token))


def is_token(given: str, token: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(
        given.encode(errors="surrogatepass"), token.encode(errors="surrogatepass")
    )


def cookie_value(token: str) -> str:
    """Return what the cookie holds: a value from which the token cannot be computed."""
    return hmac.new(token.encode(errors="surrogatepass"), b"cookie", hashlib.sha256).hexdigest()
