"""A web server in a process of its own, and clients that send it requests one after the other."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

START_SECONDS = 120
STOP_SECONDS = 60


class BusyError(Exception):
    """The server refused a request because it has too many."""


class Client:
    """One connection that is kept alive; for one thread."""

    def __init__(self, url: str) -> None:
        """Connect at the first request."""
        host = urlsplit(url).netloc
        self.connection = http.client.HTTPConnection(host, timeout=60)

    def get(self, path: str) -> bytes:
        """Return the body; raise BusyError on 503, RuntimeError on others that are not 2xx."""
        return self._send("GET", path)

    def post(self, path: str, body: object) -> Any:
        """Send JSON and return the JSON of the response; raises as `get` does."""
        self.send(path, body)
        return self.receive()

    def send(self, path: str, body: object) -> None:
        """Send JSON; `receive` waits for the response."""
        data = json.dumps(body).encode()
        self.connection.request("POST", path, data, {"Content-Type": "application/json"})

    def receive(self) -> Any:
        """Return the JSON of the response to `send`; raises as `get` does."""
        return json.loads(self._body())

    def upload(self, path: str, data: bytes) -> Any:
        """Send a file as a form and return the JSON of the response; raises as `get` does."""
        body, headers = file_form(data)
        return json.loads(self._send("POST", path, body, headers))

    def close(self) -> None:
        """Disconnect."""
        self.connection.close()

    def _send(self, method: str, path: str, *body: Any) -> bytes:
        self.connection.request(method, path, *body)
        return self._body()

    def _body(self) -> bytes:
        response = self.connection.getresponse()
        data = response.read()
        if response.status == 503:
            raise BusyError("the server is busy")
        if not 200 <= response.status < 300:
            raise RuntimeError(f"{response.status} {data[:500]!r}")
        return data


def file_form(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a form with one file."""
    head = b'Content-Disposition: form-data; name="file"; filename="query.jpg"\r\n'
    body = b"--limit\r\n" + head + b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n--limit--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=limit"}


class Server(NamedTuple):
    """The URL of a server and its process."""

    url: str
    process: "subprocess.Popen[str]"

    def processes(self) -> list[int]:
        """Return the process and all below it; on Linux."""
        return _descendants(self.process.pid)

    def cpu_seconds(self) -> float:
        """Return the time that processors worked for the server so far; 0 if not on Linux."""
        ticks = 0
        for process in self.processes() if sys.platform == "linux" else []:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def _descendants(process: int) -> list[int]:
    found = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _descendants(int(child))
    return found


@contextmanager
def serving(file: Path, *options: str) -> Iterator[Server]:
    """Run `clipsearch serve` for a store on a free port."""
    command = [sys.executable, "-m", "clipsearch", "serve", "--port", "0", "--uri", str(file)]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Server(_read_url(process), process)
            if process.poll() is None:
                process.terminate()
                process.wait(STOP_SECONDS)
        finally:
            process.kill()


def _read_url(process: "subprocess.Popen[str]") -> str:
    """Wait for the line with the URL; what comes after it is printed."""
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"http://[\w.:\[\]]+", line):
            timer.cancel()
            threading.Thread(target=_forward, args=[process.stderr], daemon=True).start()
            return found[0]
    raise RuntimeError(f"the server did not start:\n{''.join(lines)}")


def _forward(lines: Iterator[str]) -> None:
    for line in lines:
        print(line, end="", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The seconds that each request took, and that all took together, with some clients.

    `cpu_seconds` is the work of all processors for the server.
    """

    clients: int
    latencies: Sequence[float]
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def row(self, task: str) -> dict[str, str | int | float]:
        """Return a row of a table."""
        median, slow = np.percentile(self.latencies, (50, 95))
        return {
            "task": task,
            "clients": self.clients,
            "per second": round(self.per_second, 1),
            "p50 ms": round(float(median) * 1e3, 1),
            "p95 ms": round(float(slow) * 1e3, 1),
            "CPU ms": round(1e3 * self.cpu_seconds / len(self.latencies), 1),
        }


def measure(
    server: Server, request: Callable[[Client, int], object], *, clients: int, count: int
) -> Measurement:
    """Send requests 0 to `count` - 1, each client the next one when it has the last response."""
    numbers, latencies, errors = iter(range(count)), list[float](), list[Exception]()
    lock = threading.Lock()

    def work() -> None:
        client = Client(server.url)
        try:
            while not errors:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                started = time.perf_counter()
                request(client, number)
                latencies.append(time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001 - raised by the caller's thread
            errors.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    worked, started = server.cpu_seconds(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if errors:
        raise errors[0]
    return Measurement(clients, latencies, seconds, server.cpu_seconds() - worked)
