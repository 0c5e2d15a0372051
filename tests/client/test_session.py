"""Requests to a server: kept connections, tries while it is busy, and its errors."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clipsearch import errors
from clipsearch.client.session import ATTEMPTS, HTTPSession
from clipsearch.errors import BusyStoreError, ClipsearchError, StoreError, UsageError

Answer = tuple[int, dict[str, str], object]


class StubServer(ThreadingHTTPServer):
    """Answers requests with what `answer` returns, and remembers them."""

    def __init__(self, answer: Callable[[str, bytes], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def hang_up(self) -> None:
        """Close the connections, as a server does with idle ones."""
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: StubServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.connection)

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.command, self.path, headers, body))
        status, fields, value = self.server.answer(self.path, body)
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, field in {"Content-Length": str(len(content)), **fields}.items():
            self.send_header(name, field)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the base's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str, bytes], Answer]], StubServer]]:
    servers: list[StubServer] = []

    def start(answer: Callable[[str, bytes], Answer]) -> StubServer:
        server = StubServer(answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


Serve = Callable[[Callable[[str, bytes], Answer]], StubServer]


def echo(path: str, body: bytes) -> Answer:
    return 200, {}, {"path": path, "body": body.decode()}


def test_requests_of_one_thread_share_a_connection(serve: Serve) -> None:
    server = serve(echo)
    with HTTPSession(server.url) as session:
        assert session.get("/a") == {"path": "/a", "body": ""}
        assert session.post("/b", {"x": "\udcff"})["body"] == '{"x": "\\udcff"}'
    assert len(server.connections) == 1


def test_a_connection_that_the_server_closed_is_replaced(serve: Serve) -> None:
    server = serve(echo)
    with HTTPSession(server.url) as session:
        session.get("/a")
        server.hang_up()
        assert session.post("/b", [])["path"] == "/b"
    assert len(server.connections) == 2


def test_threads_have_connections_of_their_own(serve: Serve) -> None:
    server = serve(echo)
    with HTTPSession(server.url) as session, ThreadPoolExecutor(4) as pool:
        paths = [f"/{number}" for number in range(40)]
        assert [answer["path"] for answer in pool.map(session.get, paths)] == paths
    assert len(server.connections) <= 4


def test_the_path_of_the_url_is_a_prefix_and_its_token_is_sent(serve: Serve) -> None:
    server = serve(echo)
    with HTTPSession(f"{server.url}/images/?token=s3cret") as session:
        assert session.get("/v1/status")["path"] == "/images/v1/status"
        assert "s3cret" not in session.url
    [(_, _, headers, _)] = server.requests
    assert headers["authorization"] == "Bearer s3cret"


def test_a_busy_server_is_asked_again(serve: Serve) -> None:
    answers = iter([(503, {"Retry-After": "0"}, {}), (503, {}, {}), (200, {}, {"x": 1})])
    server = serve(lambda *_: next(answers))
    with HTTPSession(server.url) as session:
        assert session.post("/", {}) == {"x": 1}
    assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_an_error(serve: Serve) -> None:
    server = serve(lambda *_: (503, {"Retry-After": "0"}, {"title": "x", "detail": "too busy"}))
    with HTTPSession(server.url) as session, pytest.raises(BusyStoreError, match="too busy"):
        session.get("/")
    assert len(server.requests) == ATTEMPTS


def all_errors(kind: type[ClipsearchError] = ClipsearchError) -> list[type[ClipsearchError]]:
    return [kind, *(error for child in kind.__subclasses__() for error in all_errors(child))]


@pytest.mark.parametrize(
    "kind", [kind for kind in all_errors() if kind.__module__ == errors.__name__]
)
def test_an_error_of_the_library_arrives_as_itself(
    serve: Serve, kind: type[ClipsearchError]
) -> None:
    problem = {"title": "x", "detail": "the reason", "errors": [{"error": kind.__name__}]}
    server = serve(lambda *_: (422, {}, problem))
    with HTTPSession(server.url) as session, pytest.raises(kind) as raised:
        session.get("/")
    assert type(raised.value) is kind
    assert str(raised.value) == "the reason"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, {"title": "Unprocessable", "detail": "no"}, UsageError),
        (404, {"title": "Not Found"}, UsageError),
        (401, {"title": "Unauthorized", "detail": "a token"}, StoreError),
        (500, {"title": "Error", "detail": "the log"}, StoreError),
        (502, b"<html>", StoreError),
        (400, b"", UsageError),
        (400, ["a list"], UsageError),
        (400, {"title": "x", "errors": [{"error": "ATTEMPTS"}]}, UsageError),
        (400, {"title": "x", "errors": [{"error": "shorten"}]}, UsageError),
        (307, b"", StoreError),
    ],
)
def test_other_errors_follow_from_the_status(
    serve: Serve, status: int, body: object, kind: type[ClipsearchError]
) -> None:
    server = serve(lambda *_: (status, {}, body))
    with HTTPSession(server.url) as session, pytest.raises(ClipsearchError) as raised:
        session.get("/")
    assert type(raised.value) is kind


def test_a_response_that_is_not_json_is_an_error(serve: Serve) -> None:
    server = serve(lambda *_: (200, {}, b"<html>"))
    with HTTPSession(server.url) as session, pytest.raises(StoreError, match="clipsearch serve"):
        session.get("/")


def test_a_response_that_ends_early_is_an_error(serve: Serve) -> None:
    server = serve(lambda *_: (200, {"Content-Length": "100", "Connection": "close"}, b"{}"))
    with HTTPSession(server.url) as session, pytest.raises(StoreError):
        session.get("/")


def test_a_missing_server_is_an_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with HTTPSession(url) as session, pytest.raises(StoreError, match="clipsearch serve"):
            session.get("/")


def test_a_silent_server_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        session = HTTPSession(url, timeout=0.1)
        with session, pytest.raises(StoreError, match=r"within 0\.1 s"):
            session.get("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8765",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://host:x",
        "http://user:password@host",
        "http://bücher.example",
        "http://host/a b",
        None,
        7,
    ],
)
def test_another_url_is_refused(url: Any) -> None:
    with pytest.raises(UsageError):
        HTTPSession(url)


@pytest.mark.parametrize("token", ["a\r\nX: y", "ü", "a\0"])
def test_a_token_that_no_header_holds_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="ASCII"):
        HTTPSession("http://127.0.0.1", token=token)
