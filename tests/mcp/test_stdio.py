"""`clipsearch mcp` as an assistant starts it: a process that talks on standard input and output."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from mcp import Client, StdioServerParameters

from tests.helpers.commands import command
from tests.helpers.fakes import draw

ROOT = Path(__file__).resolve().parents[2]

INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one red and one blue image, by `pocket`."""
    place = tmp_path_factory.mktemp("stdio")
    for color in ("red", "blue"):
        draw(place / "images" / f"{color}.png", color)
    file = place / "a.db"
    assert command("ingest", place / "images", "--uri", file, "--model", "pocket").returncode == 0
    return file


def words(store: Path) -> list[str]:
    return ["-m", "clipsearch", "mcp", "--uri", str(store)]


def test_a_round_trip_through_the_clients_library(store: Path) -> None:
    async def talk() -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        parameters = StdioServerParameters(
            command=sys.executable, args=words(store), env=environment
        )
        async with Client(parameters) as client:
            assert client.instructions
            assert len((await client.list_tools()).tools) == 5
            found = await client.call_tool("search_images", {"text": "red", "limit": 1})
            assert found.structured_content
            [image] = found.structured_content["images"]
            shown = await client.call_tool("show_images", {"image_ids": [image["id"]]})
            assert [content.type for content in shown.content] == ["text", "image"]

    asyncio.run(talk())


class Process:
    """`clipsearch mcp` in a process, after the handshake."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stdin
        assert process.stdout
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout
        self.request("initialize", INITIALIZE)
        self.send({"method": "notifications/initialized"})

    def send(self, message: dict[str, Any]) -> None:
        self._stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._stdin.flush()

    def request(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.send({"id": 1, "method": method, "params": parameters})
        line = self._stdout.readline()
        result = json.loads(line)["result"]
        assert isinstance(result, dict)
        return result

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.request("tools/call", {"name": name, "arguments": arguments})

    def end(self) -> tuple[int, str, str]:
        """Close standard input; the exit code, and what is left on the other streams."""
        stdout, stderr = self.process.communicate(timeout=60)
        return self.process.returncode, stdout, stderr


@contextmanager
def started(store: Path) -> Iterator[Process]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, *words(store)],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield Process(process)
        finally:
            process.kill()


def test_nothing_but_messages_is_on_standard_output(store: Path) -> None:
    with started(store) as server:
        long = " ".join(["dog"] * 300)  # of which a warning is logged
        assert server.call("search_images", text=long)["structuredContent"]["warnings"]
        assert server.call("search_images", text="a", limit=0)["isError"]
        code, stdout, stderr = server.end()
    assert (code, stdout) == (0, "")
    assert "Traceback" not in stderr


def test_other_commands_can_use_the_store_between_calls(store: Path) -> None:
    with started(store) as server:
        for _ in range(2):
            assert not server.call("search_images", text="red").get("isError")
            done = command("query", "blue", "--uri", store, "--json", "-n1")
            assert done.returncode == 0, done.stderr
            assert not server.call("classify_images", labels=["red", "blue"]).get("isError")
            image = draw(store.parent / "images" / "green.png", "green")
            assert command("ingest", image.parent, "--uri", store).returncode == 0
            assert server.call("collection_status")["structuredContent"]["images"] == 3


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_unlocks_the_store(store: Path, number: int) -> None:
    with started(store) as server:
        server.call("search_images", text="red", filters={"min_width": 1})  # by Milvus Lite
        began = time.monotonic()
        server.process.send_signal(number)
        assert server.process.wait(timeout=30) == 130
        assert time.monotonic() - began < 10
        assert command("query", "blue", "--uri", store).returncode == 0


def test_it_uses_a_running_daemon(store: Path) -> None:
    assert command("warm", "--uri", store).returncode == 0
    try:
        with started(store) as server:
            assert not server.call("search_images", text="red").get("isError")
            assert not server.call("show_images", image_ids=[_first_id(server)]).get("isError")
            assert command("query", "blue", "--uri", store).returncode == 0
    finally:
        assert command("warm", "--stop", "--uri", store).returncode == 0


def _first_id(server: Process) -> str:
    found = server.call("search_images", text="red")["structuredContent"]["images"]
    return str(found[0]["id"])


def test_it_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipsearch.cli.mcp.find_spec", lambda name: None)
    done = command("mcp")
    assert done.returncode == 2
    assert "pip install 'clipsearch[mcp]'" in done.stderr
