"""What visitors of the page do, and what they should not do: a random mix of requests."""

import contextlib
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from benchmarks.speed.http_load import BusyError, Client, file_form

WORDS = ("dog", "cat", "boat", "house", "tree", "bird", "bridge", "child", "train", "snow", "city")
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"textness": -1.0},
    {"order": "date", "min_z": 1.0},
    {"filters": {"min_width": 100}, "limit": 200},
    {"group_duplicates": True},
    {"offset": 20, "max_textness": 0.9},
)
WIDTHS = (128, 256, 384, 512)


@dataclass
class Visitor:
    """One client with its own random numbers; `ids` are stored images, `upload` a JPEG."""

    url: str
    ids: Sequence[str]
    upload: bytes
    random: random.Random
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.url)

    def text(self) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 6)))

    def id(self) -> str:
        return self.random.choice(self.ids)

    def search(self) -> None:
        terms = [{"text": self.text()}, {"text": self.text(), "weight": -0.5}]
        options = self.random.choice(OPTIONS)
        self.client.post("/v1/search", {"terms": terms, **options})

    def search_by_url(self) -> None:
        self.client.get(f"/v1/search?q={quote(self.text())}&limit=30")

    def browse(self) -> None:
        self.client.post("/v1/search", {"terms": [], "limit": 100})

    def similar(self) -> None:
        self.client.post("/v1/search", {"terms": [{"id": self.id()}], "exclude_images": True})

    def thumbnail(self) -> None:
        self.client.get(f"/v1/images/{self.id()}/thumbnail?w={self.random.choice(WIDTHS)}")

    def file(self) -> None:
        self.client.get(f"/v1/images/{self.id()}/file")

    def record(self) -> None:
        self.client.get(f"/v1/images/{self.id()}")

    def search_upload(self) -> None:
        query = self.client.upload("/v1/query-images", self.upload)
        self.client.post("/v1/search", {"terms": [{"image": query["id"]}]})

    def explain(self) -> None:
        self.client.post("/v1/explain", {"text": self.text(), "id": self.id()})

    def classify(self) -> None:
        labels = self.random.sample(WORDS, 3)
        self.client.post("/v1/classify", {"labels": labels, "ids": [self.id()]})

    def status(self) -> None:
        self.client.get("/v1/status")

    def page(self) -> None:
        self.client.get(f"/?q={quote(self.text())}")

    def archive(self) -> None:
        self.hang_up("POST", "/v1/archive", {"ids": list(self.ids[:20])}, read=1 << 30)

    def leave_search(self) -> None:
        self.hang_up("POST", "/v1/search", {"terms": [{"text": self.text()}]})

    def leave_explain(self) -> None:
        self.hang_up("POST", "/v1/explain", {"text": self.text(), "id": self.id()})

    def leave_download(self) -> None:
        self.hang_up("GET", f"/v1/images/{self.id()}/file", read=2_000)

    def leave_archive(self) -> None:
        self.hang_up("POST", "/v1/archive", {"ids": list(self.ids[:50])}, read=5_000)

    def leave_thumbnail(self) -> None:
        self.hang_up("GET", f"/v1/images/{self.id()}/thumbnail?w=512")

    def leave_upload(self) -> None:
        body, headers = file_form(self.upload)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._send_raw(
            f"POST /v1/query-images HTTP/1.1\r\nHost: {urlsplit(self.url).netloc}\r\n{head}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body[: len(body) // 2]
        )

    def leave_head(self) -> None:
        self._send_raw(b"GET /v1/search?q=dog HTTP/1.1\r\nHos")

    def hang_up(self, method: str, path: str, body: object = None, *, read: int = 0) -> None:
        """Send a request, read some bytes of the response, and break the connection."""
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(self.url).netloc}\r\n"
            "Content-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        start = self._send_raw(head.encode() + data, read)
        if start.startswith(b"HTTP/1.1 503"):
            raise BusyError(path)
        if read and not start.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{method} {path}: {start[:300]!r}")

    def _send_raw(self, data: bytes, read: int = 0) -> bytes:
        address = urlsplit(self.url)
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            connection.sendall(data)
            start, received = b"", 0
            while received < read and (chunk := connection.recv(min(65_536, read - received))):
                start = start or chunk
                received += len(chunk)
            # Without waiting for what is not yet sent: the server gets a reset.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return start


ACTIONS: dict[Callable[[Visitor], None], int] = {
    Visitor.search: 20,
    Visitor.search_by_url: 10,
    Visitor.browse: 3,
    Visitor.similar: 5,
    Visitor.thumbnail: 40,
    Visitor.file: 5,
    Visitor.record: 5,
    Visitor.search_upload: 4,
    Visitor.explain: 1,
    Visitor.classify: 2,
    Visitor.status: 2,
    Visitor.page: 2,
    Visitor.archive: 1,
    Visitor.leave_search: 5,
    Visitor.leave_explain: 1,
    Visitor.leave_download: 4,
    Visitor.leave_archive: 1,
    Visitor.leave_thumbnail: 5,
    Visitor.leave_upload: 3,
    Visitor.leave_head: 2,
}
"""How often each is done, relative to the others."""


class MixedLoad:
    """Visitors in threads, from `start` to `stop`; `done` counts what succeeded, by name."""

    def __init__(
        self, url: str, ids: Sequence[str], upload: bytes, *, visitors: int, seed: int = 0
    ) -> None:
        """Prepare visitors, each with its own sequence of actions."""
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self._is_stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._visit, args=[Visitor(url, ids, upload, random.Random(seed + number))]
            )
            for number in range(visitors)
        ]

    def start(self) -> None:
        """Start all visitors."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every visitor finish what it does."""
        self._is_stopping.set()
        for thread in self._threads:
            thread.join()

    def run(self, seconds: float) -> None:
        """Start, wait and stop; sooner if there are many errors."""
        self.start()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(self.errors) < 100:
            time.sleep(0.1)
        self.stop()

    def _visit(self, visitor: Visitor) -> None:
        actions, weights = list(ACTIONS), list(ACTIONS.values())
        while not self._is_stopping.is_set():
            [action] = visitor.random.choices(actions, weights)
            try:
                action(visitor)
                self.done[action.__name__] += 1
            except BusyError:
                self.done[f"{action.__name__}, refused as busy"] += 1
            except Exception as error:  # noqa: BLE001 - reported
                self.errors.append(f"{action.__name__}: {error!r}")
                with contextlib.suppress(OSError):
                    visitor.client.close()
        visitor.client.close()
