"""Limits of requests: size, time, number, and clients that hang up."""

import asyncio
import json
import struct
import threading
import time
import zlib
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.web.app import create_app
from clipsearch.web.engine import Engine
from clipsearch.web.settings import Limits, Settings
from clipsearch.web.streams import ClosingStream
from tests.helpers.http import listening, receive, send


@pytest.fixture
def limited(server: Server) -> Callable[..., FastAPI]:
    """Make an app with some limits."""

    def make(**limits: float) -> FastAPI:
        settings = Settings(limits=Limits(**limits))  # type: ignore[arg-type]
        return create_app(Engine(partial(open_index, server, "images"), settings.limits), settings)

    return make


def png(width: int, height: int) -> bytes:
    """A PNG of zeros, which are compressed a thousandfold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 + 3 * width)) for _ in range(height)) + rows.flush()
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"terms": [{"text": "a" * 100_000}]}, "terms.0.text"),
        ({"terms": [{"text": "a"}] * 1_000}, "terms"),
        ({"terms": [{"text": "a"}], "filters": {"tags": ["a"] * 1_000}}, "filters.tags"),
        ({"terms": [{"text": "a"}], "filters": {"under": "/" + "a" * 100_000}}, "filters.under"),
        ({"terms": [{"text": "a", "weight": 1e999}]}, "terms.0.weight"),
        ({"terms": [{"text": "a"}], "offset": 10**30}, "offset"),
        ({"terms": [{"text": "a"}], "filters": {"min_width": 10**30}}, "filters.min_width"),
    ],
)
def test_what_is_too_much_names_its_field(
    client: TestClient, body: dict[str, object], field: str
) -> None:
    response = client.post(
        "/v1/search", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field
    assert len(response.text) < 2_000


@pytest.mark.parametrize(
    "query", ["a" * 50_000, " + ".join("abcdefgh" * 200), "red + " * 40 + "red", "1e999:red"]
)
def test_an_url_that_asks_too_much_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/search?q={quote(query)}").status_code == 422
    assert client.get(f"/?q={quote(query)}").status_code == 422


@pytest.mark.parametrize("query", ["%00", "%ed%a0%80", "%ff", "%7f", "%", "a%zz", "+-+"])
def test_a_strange_text_is_no_error_of_the_server(client: TestClient, query: str) -> None:
    for path in ("/v1/search?q=", "/?q=", "/v1/search?glob=", "/v1/search?under="):
        for rest in ("", "&textness=1"):
            assert client.get(f"{path}{query}{rest}").status_code in (200, 422)


def test_deeply_nested_json_is_refused(client: TestClient) -> None:
    for body in ("[" * 100_000, '{"terms":' + "[" * 5_000 + "]" * 5_000 + "}", '{"limit":NaN}'):
        headers = {"content-type": "application/json"}
        response = client.post("/v1/search", content=body, headers=headers)
        assert response.status_code in (400, 422)
    assert client.post("/v1/search", content=b"\xff\xfe{").status_code in (400, 422)


def test_a_large_body_is_refused(client: TestClient) -> None:
    content = b'{"terms": "' + b"a" * (2 << 20) + b'"}'
    assert client.post("/v1/search", content=content).status_code == 413

    def parts() -> object:
        yield from (content[start : start + 65_536] for start in range(0, len(content), 65_536))

    assert client.post("/v1/search", content=parts()).status_code == 413  # type: ignore[arg-type]


def test_a_large_upload_is_refused(limited: Callable[..., FastAPI]) -> None:
    with TestClient(limited(upload_bytes=100_000), base_url="http://localhost") as client:
        files = {"file": ("a.png", bytes(200_000))}
        assert client.post("/v1/query-images", files=files).status_code == 413


def test_a_decompression_bomb_is_refused(client: TestClient) -> None:
    data = png(20_000, 20_000)
    assert len(data) < 3_000_000
    response = client.post("/v1/query-images", files={"file": ("a.png", data)})
    assert response.status_code == 422
    assert "too many pixels" in response.json()["detail"]


def test_a_body_that_never_ends_is_given_up(limited: Callable[..., FastAPI]) -> None:
    with listening(limited(body_seconds=0.3)) as address:
        request = "POST /v1/search HTTP/1.1\nHost: localhost\nContent-Length: 99\n\n"
        started = time.monotonic()
        with send(address, request, b'{"terms":') as connection:
            response = receive(connection)
    assert response.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 5


def slow_routes(app: FastAPI) -> dict[str, threading.Event]:
    """Add routes that wait; return what happens to them."""
    events = {name: threading.Event() for name in ("begun", "cancelled", "closed")}

    @app.get("/slow")
    @app.post("/slow")
    async def slow(request: Request) -> None:
        await request.body()
        events["begun"].set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            events["cancelled"].set()
            raise

    @app.get("/stream")
    async def stream() -> ClosingStream:
        async def parts() -> object:
            try:
                while True:
                    events["begun"].set()
                    yield bytes(1 << 20)
                    await asyncio.sleep(0)
            finally:
                events["closed"].set()

        return ClosingStream(parts())  # type: ignore[arg-type]

    return events


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_hangs_up_stops_the_work(
    limited: Callable[..., FastAPI], method: str
) -> None:
    app = limited()
    events = slow_routes(app)
    with listening(app) as address:
        text = f"{method} /slow HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n"
        with send(address, text, b"{}"):
            assert events["begun"].wait(10)
        assert events["cancelled"].wait(10)


def test_a_response_that_is_not_taken_ends(limited: Callable[..., FastAPI]) -> None:
    app = limited(send_seconds=0.3)
    events = slow_routes(app)
    with listening(app) as address, send(address, "GET /stream HTTP/1.1\nHost: localhost\n\n"):
        assert events["begun"].wait(10)
        assert events["closed"].wait(10)


def test_a_late_response_is_given_up(limited: Callable[..., FastAPI]) -> None:
    app = limited(seconds=0.2, body_seconds=0.2)
    slow_routes(app)
    with TestClient(app, base_url="http://localhost") as client:
        response = client.post("/slow", json={})
        assert response.status_code == 503
        assert "too long" in response.json()["detail"]


def test_the_number_of_requests_is_limited(limited: Callable[..., FastAPI]) -> None:
    app = limited(concurrency=1)
    events = slow_routes(app)
    with listening(app) as address:
        with send(address, "GET /slow HTTP/1.1\nHost: localhost\n\n"):
            assert events["begun"].wait(10)
            text = "GET /v1/search?q=red HTTP/1.1\nHost: localhost\nConnection: close\n\n"
            with send(address, text) as connection:
                response = receive(connection)
            assert response.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 2" in response.lower()
        assert events["cancelled"].wait(10)
        with send(address, text) as connection:
            assert receive(connection).startswith(b"HTTP/1.1 200 ")


def test_a_full_queue_is_busy(limited: Callable[..., FastAPI]) -> None:
    with TestClient(limited(queue=0), base_url="http://localhost") as client:
        for path in ("/v1/search?q=red", "/v1/search", "/v1/images/" + "0" * 32):
            response = client.get(path)
            assert (response.status_code, response.headers["retry-after"]) == (503, "2")


def test_an_unexpected_error_is_a_problem(client: TestClient, app: FastAPI) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret")

    response = client.get("/broken")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "content-security-policy" in response.headers


def test_what_is_not_http_is_refused(limited: Callable[..., FastAPI]) -> None:
    with listening(limited()) as address:
        for text in ("\0\1\2\n\n", "GET /\n\n", "GET / HTTP/1.1\n\n", "GET /" + "a" * 99_999):
            with send(address, text) as connection:
                status = receive(connection).split(b" ", 2)[1]
            assert status in (b"400", b"421")


def test_a_connection_goes_on_after_head(limited: Callable[..., FastAPI]) -> None:
    request = "HEAD /v1/search?q=red HTTP/1.1\nHost: localhost\n"
    with listening(limited()) as address, send(address, f"{request}\n") as connection:
        assert connection.recv(4_096).startswith(b"HTTP/1.1 200 ")
        connection.sendall(f"{request}Connection: close\n\n".replace("\n", "\r\n").encode())
        assert receive(connection).endswith(b"\r\n\r\n")
