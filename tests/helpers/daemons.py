"""Daemons for tests: in a thread of this process, or in a process without a model."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clipsearch.daemon.endpoint import create_endpoint, is_supported
from clipsearch.daemon.server import Server
from clipsearch.session import daemon_of
from clipsearch.store import Store
from clipsearch.uri import parse_uri

ROOT = Path(__file__).parents[2]

NEEDS_SOCKETS = pytest.mark.skipif(not is_supported(), reason="needs Unix sockets")

BARE = """
import json, sys
from clipsearch.uri import parse_uri
from clipsearch.daemon.endpoint import create_endpoint
from clipsearch.daemon.server import Server, handle_signals
uri, idle = json.loads(sys.argv[1])
address = parse_uri(uri)
server = Server(create_endpoint(address.key), address, None, idle=idle)
handle_signals(server)
print("listens", flush=True)
server.run()
"""


def uses_daemon(store: Store) -> bool:
    """Whether the store is open through a daemon."""
    return daemon_of(store) is not None


@contextmanager
def serving(
    uri: str | Path, *, token: str | None = None, idle: float = 60, fingerprint: str = ""
) -> Iterator[Server]:
    """Run a daemon in a thread; `fingerprint` makes it one of another version."""
    address = parse_uri(uri)
    server = Server(create_endpoint(address.key), address, token, idle=idle)
    if fingerprint:
        server._fingerprint = fingerprint
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


@contextmanager
def bare_process(uri: str | Path, *, idle: float = 60) -> Iterator[subprocess.Popen[str]]:
    """Run a daemon without a model in a process, which the caller may signal or kill."""
    arguments = [sys.executable, "-c", BARE, json.dumps([str(uri), idle])]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "listens\n"
        try:
            yield process
        finally:
            process.kill()
