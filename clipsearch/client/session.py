"""Requests to a `clipsearch serve`: connections that stay open, and errors as our own."""

import http.client
import json
import queue
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import SplitResult, parse_qs, urlsplit

from clipsearch import errors
from clipsearch.errors import ClipsearchError, StoreError, UsageError, describe_error, shorten

ATTEMPTS = 4
"""Tries of a request to a server that is busy."""

LONGEST_WAIT = 5.0
"""Seconds to wait before another try, whatever the server asks for."""

_BUSY = 503
_DENIED = {401, 403}


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response; the names in `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the JSON value of the body; raise StoreError if there is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise StoreError(
                "the server did not send JSON: is the URL that of `clipsearch serve`?"
            ) from error


class HTTPSession:
    """Sends requests to one server; for any number of threads at a time.

    `url` may have a path, for a server behind a proxy, and the `?token=` that `clipsearch serve`
    prints. `timeout` are the seconds that the server may be silent.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 120.0) -> None:
        """Connect at the first request. Raises UsageError on a URL or token that is not usable."""
        parts = _split(url)
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._prefix = parts.path.rstrip("/")
        self._is_secure = parts.scheme == "https"
        self._address = parts.hostname, parts.port
        self._timeout = timeout
        self._headers = {"Accept": "application/json"}
        if token := token or _token_of(parts):
            if not token.isascii() or not token.isprintable():
                raise UsageError("a token consists of printable ASCII characters")
            self._headers["Authorization"] = f"Bearer {token}"
        # The connection used last is used next, so that the others time out when all is quiet.
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are not in use."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def get(self, path: str) -> Any:
        """Return the JSON at a path; raise as `send` does."""
        return self.send("GET", path).json()

    def post(self, path: str, value: object) -> Any:
        """Send JSON to a path and return the JSON of the response; raise as `send` does."""
        body = json.dumps(value).encode()  # a path with bytes that are not UTF-8 is escaped
        return self.send("POST", path, body, "application/json").json()

    def send(
        self, method: str, path: str, body: bytes | None = None, content_type: str = ""
    ) -> Response:
        """Send a request and return its response; while the server is busy, try again.

        Every request must be one that may be repeated. Raises the ClipsearchError that the server
        names, UsageError on another refusal of it, StoreError if there is no usable response.
        """
        headers = self._headers | ({"Content-Type": content_type} if content_type else {})
        for attempt in range(1, ATTEMPTS + 1):
            response = self._send_once(method, self._prefix + path, body, headers)
            if response.status != _BUSY or attempt == ATTEMPTS:
                break
            time.sleep(_wait_seconds(response))
        if response.status >= 300:
            raise _error(response)
        return response

    def _send_once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Response:
        """Send a request over an idle connection or, if the server has closed it, a new one."""
        while True:
            try:
                connection, is_new = self._idle.get_nowait(), False
            except queue.Empty:
                connection, is_new = self._connect(), True
            try:
                # A server that refuses a body may close before it has read all of it.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, path, body, dict(headers))
                received = connection.getresponse()
                fields = {name.lower(): value for name, value in received.getheaders()}
                response = Response(received.status, fields, received.read())
            except TimeoutError as error:
                connection.close()
                raise StoreError(f"{self.url} did not answer within {self._timeout:g} s") from error
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                if is_new:
                    raise StoreError(
                        f"{self.url} cannot be reached ({describe_error(error)}): start it with "
                        "`clipsearch serve`"
                    ) from error
            except BaseException:
                connection.close()
                raise
            else:
                self._idle.put(connection)
                return response

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        host, port = self._address
        assert host is not None
        return kind(host, port, timeout=self._timeout)


def _split(url: str) -> SplitResult:
    problem = "it must look like http://127.0.0.1:8765"
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError on one that is not a number
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"the URL {shorten(repr(url))} cannot be used: {problem}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not str(url).isascii():
        raise UsageError(f"the URL {shorten(repr(url))} cannot be used: {problem}")
    if parts.username is not None or parts.password is not None:
        raise UsageError("a URL with a password cannot be used: give the token as token=")
    if any(character.isspace() or not character.isprintable() for character in parts.path):
        raise UsageError(f"the URL {shorten(repr(url))} cannot be used: its path has spaces")
    return parts


def _token_of(parts: SplitResult) -> str:
    return parse_qs(parts.query).get("token", [""])[0]


def _wait_seconds(response: Response) -> float:
    try:
        return min(max(float(response.headers["retry-after"]), 0.05), LONGEST_WAIT)
    except (KeyError, ValueError):
        return 0.5


def _error(response: Response) -> ClipsearchError:
    """Return the error that a problem (RFC 9457) of the server describes."""
    try:
        problem = response.json()
        detail = str(problem.get("detail") or problem["title"])
        name = str(problem.get("errors", [{}])[0].get("error"))
    except (StoreError, AttributeError, KeyError, IndexError, TypeError):
        detail, name = f"the server answered {response.status}", ""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, ClipsearchError):
        return kind(detail)
    if response.status == _BUSY:
        return errors.BusyStoreError(detail)
    is_usage = 400 <= response.status < 500 and response.status not in _DENIED
    return UsageError(detail) if is_usage else StoreError(detail)
