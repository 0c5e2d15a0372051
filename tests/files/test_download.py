"""Downloads of query images: the limits, and that no private address is reached."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest
from PIL import Image

from clipsearch.errors import ImageError, UsageError
from clipsearch.files import download as module
from clipsearch.files.download import download, public_address

PNG = BytesIO()
Image.new("RGB", (8, 6), "red").save(PNG, "png")

Answer = tuple[int, dict[str, str], bytes]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # for chunks
    answers: dict[str, Answer]
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        status, headers, body = self.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.seen = []
    Handler.answers = {
        "/a.png": (200, {}, PNG.getvalue()),
        "/a%20b.png?x=1": (200, {}, PNG.getvalue()),
        "/moved": (302, {"Location": "/a.png"}, b""),
        "/loop": (302, {"Location": "/loop"}, b""),
        "/page": (200, {"Content-Type": "image/png"}, b"<!doctype html>" + b"x" * 100),
        "/short": (200, {"Content-Length": "9999"}, PNG.getvalue()),
        "/large": (200, {}, PNG.getvalue() + bytes(3000)),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
        "/spaced": (302, {"Location": "/a b.png?x=1"}, b""),
        "/user": (302, {"Location": "http://user:word@127.0.0.1/"}, b""),
        "/cut": (200, {"Transfer-Encoding": "chunked"}, b"fff\r\n" + PNG.getvalue()),
        "/away": (302, {"Location": "http://[::ffff:169.254.169.254]/"}, b""),
    }
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "path", ["/a.png", "/moved", "/spaced", "/a b.png?x=1", "/a%20b.png?x=1#part"]
)
def test_an_image_is_downloaded(server: str, path: str) -> None:
    if " " in path:
        with pytest.raises(UsageError, match="not a valid URL"):
            download(server + path, allow_private=True)
    else:
        assert download(server + path, allow_private=True) == PNG.getvalue()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nothing", "404"),
        ("/loop", "redirects"),
        ("/page", "HTML page"),
        ("/short", "truncated"),
        ("/large", "larger than"),
        ("/cut", "truncated"),
        ("/file", "redirects.*only http and https"),
        ("/user", "redirects.*user name"),
    ],
)
def test_what_is_not_an_image_within_the_limits_is_refused(
    server: str, path: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 2000)
    with pytest.raises(ImageError, match=message):
        download(server + path, allow_private=True)


def test_a_private_address_is_not_connected_to(server: str) -> None:
    with pytest.raises(UsageError, match="private network"):
        download(f"{server}/a.png")
    with pytest.raises(UsageError, match="private network"):
        download(f"{server.replace('127.0.0.1', 'localhost')}/a.png")
    assert Handler.seen == []


def test_each_redirect_is_checked_anew(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "public_address", lambda address: address == "127.0.0.1")
    with pytest.raises(UsageError, match="private network"):
        download(f"{server}/away")
    assert Handler.seen == ["/away"]


def test_the_name_is_looked_up_once(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        names.append(host)
        address = "127.0.0.1" if len(names) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", _connect)  # which looks names up
    url = server.replace("127.0.0.1", "images.example")
    assert download(f"{url}/a.png", allow_private=True) == PNG.getvalue()
    assert names == ["images.example"]


def _connect(address: tuple[str, int], timeout: float) -> socket.socket:
    connection = socket.socket()
    connection.settimeout(timeout)
    connection.connect(address)
    return connection


def test_a_silent_server_is_given_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ImageError, match=r"in time|longer than"),
    ):
        download(f"http://127.0.0.1:{silent.getsockname()[1]}/", allow_private=True, seconds=0.3)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "fec0::1",
        "4000::1",
        "3fff::1",
        "192.0.0.8",
        "168.63.129.16",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "2002:a00:1::",
        "2001:db8::1",
    ],
)
def test_private_addresses_are_recognized(address: str) -> None:
    assert not public_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_recognized(address: str) -> None:
    assert public_address(address)


@pytest.mark.parametrize(
    "url",
    ["ftp://x.org/a", "http://", "http://user:word@x.org/a", "http://x.org:port/", "http://[::1"],
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        download(url)
