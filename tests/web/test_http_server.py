"""The HTTP server: sockets, slow clients, and requests that finish when it stops."""

import asyncio
import logging
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="needs the extra `web`")

from fastapi import FastAPI

from clipsearch.errors import ClipsearchError, UsageError
from clipsearch.web import http_server
from clipsearch.web.http_server import HttpServer, bind, url_of
from tests.helpers import offline


def slow_app() -> FastAPI:
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(0.5)
        return "done"

    @app.get("/quick")
    async def quick() -> str:
        return "done"

    return app


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.3)
    server = HttpServer(slow_app(), bind("127.0.0.1", 0))
    server.start()
    yield server
    server.stop()


def get(server: HttpServer, path: str) -> bytes:
    with urllib.request.urlopen(server.url + path, timeout=10) as response:
        body: bytes = response.read()
    return body


def connect(server: HttpServer) -> socket.socket:
    port = int(server.url.rsplit(":", 1)[1])
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def test_requests_that_run_are_finished_before_it_stops(server: HttpServer) -> None:
    answers: list[bytes] = []
    client = threading.Thread(target=lambda: answers.append(get(server, "/slow")))
    client.start()
    time.sleep(0.2)
    server.stop()
    client.join()
    assert answers == [b'"done"']
    with pytest.raises(OSError, match="refused"):
        connect(server)


@pytest.mark.parametrize("start", [b"", b"GET /quick HTTP/1.1\r\nHost: x\r\nX-Slow:"])
def test_a_client_that_sends_no_whole_head_is_disconnected(
    server: HttpServer, start: bytes
) -> None:
    with connect(server) as client:
        client.sendall(start)
        assert client.recv(99) == b""
    assert get(server, "/quick") == b'"done"'


def test_a_connection_is_kept_for_slow_answers_and_closed_for_a_slow_second_head(
    server: HttpServer,
) -> None:
    with connect(server) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")  # takes longer than HEAD_SECONDS
        answer = client.recv(9999)
        assert b"200 OK" in answer
        while not answer.endswith(b'"done"'):
            answer += client.recv(9999)
        client.sendall(b"GET")
        started = time.monotonic()
        assert client.recv(99) == b""
        assert time.monotonic() - started < 3


def test_too_many_connections_are_closed_at_once(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "CONNECTIONS", 1)
    with connect(server) as first:
        first.sendall(b"GET /quick HTTP/1.1\r\n")  # stays open for HEAD_SECONDS
        time.sleep(0.1)
        with connect(server) as second:
            try:
                answer = second.recv(99)
            except ConnectionResetError:
                answer = b""
            assert answer == b""


def test_a_port_in_use_and_an_unknown_host_are_usage_errors(server: HttpServer) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(UsageError, match=f"127.0.0.1 port {port}: Address already in use"):
        bind("127.0.0.1", port)
    for host in ("nowhere.invalid", "x" * 70, "a..b"):
        with pytest.raises(UsageError, match="cannot listen on"):
            bind(host, 0)
    offline.attempts.clear()  # these names were to be looked up


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("localhost", None)])
def test_the_url_is_for_a_browser_of_this_machine(host: str, shown: str | None) -> None:
    with bind(host, 0) as listener:
        url = url_of(listener)
        assert url.endswith(f":{listener.getsockname()[1]}")
        assert shown is None or shown in url
        assert "0.0.0.0" not in url


def test_a_server_that_was_stopped_does_not_start() -> None:
    server = HttpServer(slow_app(), bind("127.0.0.1", 0))
    server.stop()
    with pytest.raises(ClipsearchError, match="did not start"):
        server.start()


def test_malformed_uploads_do_not_fill_the_log(server: HttpServer) -> None:
    assert not logging.getLogger("python_multipart.multipart").isEnabledFor(logging.WARNING)
