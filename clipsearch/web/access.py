"""Access with a token: as a Bearer header, or as a cookie that the login form sets."""

import hashlib
import hmac
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from clipsearch.web.problems import Problem

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
        is_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        given = QueryParams(scope["query_string"]).get("token") if is_page else None
        if given is not None and is_token(given, self._token):
            await let_in(RedirectResponse(_without_token(scope), 303), self._token)(
                scope, receive, send
            )
        elif has_access(headers, self._token):
            await self._app(scope, receive, send)
        elif is_page:
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
    # Headers are bytes, which arrive here as if they were Latin-1.
    text = given.strip().encode("latin-1").decode("utf-8", "replace")
    if scheme.lower() == "bearer" and is_token(text, token):
        return True
    # Unlike SimpleCookie, this gets past the malformed cookies of other servers of this machine.
    cookies = cookie_parser(headers.get("cookie", ""))
    return is_token(cookies.get(cookie_name(token), ""), cookie_value(token))


def let_in(response: Response, token: str) -> Response:
    """Set the cookie that stands for the token until the browser is closed."""
    response.set_cookie(cookie_name(token), cookie_value(token), httponly=True, samesite="strict")
    return response


def is_token(given: str, token: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(
        given.encode(errors="surrogatepass"), token.encode(errors="surrogatepass")
    )


def _without_token(scope: Scope) -> str:
    """Return the address of a page without the token, which must not stay in the history."""
    pairs = QueryParams(scope["query_string"]).multi_items()
    query = urlencode([pair for pair in pairs if pair[0] != "token"])
    # A path of two slashes would be another host.
    path = quote("/" + scope["path"].lstrip("/\\"))
    return f"{path}?{query}" if query else path


def cookie_name(token: str) -> str:
    """Return the name of the cookie: browsers send it to the servers on all ports of a host."""
    return f"clipsearch_session_{_digest(token, b'cookie name')[:8]}"


def cookie_value(token: str) -> str:
    """Return what the cookie holds: a value from which the token cannot be computed."""
    return _digest(token, b"cookie")


def _digest(token: str, purpose: bytes) -> str:
    return hmac.new(token.encode(errors="surrogatepass"), purpose, hashlib.sha256).hexdigest()
