"""A server that is cut off or killed: an error in bounded time, no loss, and it goes on after."""

import time
from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest

from clipsearch.errors import StoreError
from clipsearch.store import Collection, Store, client, connection, server_retry
from tests.helpers.milvus_binary import (
    FORGETS_SOON,
    BundledServer,
    StartedServer,
    UnavailableError,
)
from tests.helpers.milvus_server import wait_until_ready
from tests.helpers.proxy import network_to
from tests.helpers.records import MODEL, many

LIMIT = 4.0
"""Seconds of a call, in place of a minute."""

PATIENCE = 40.0
"""Seconds within which an error must come, on a busy machine."""


@pytest.fixture(autouse=True)
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SERVER_SECONDS", LIMIT)
    monkeypatch.setattr(server_retry, "RESTART_SECONDS", LIMIT)
    monkeypatch.setattr(client, "CONNECT_SECONDS", 2.0)


def check(uri: str, name: str) -> None:
    with Store.open(uri) as store:
        images = store.collection(name)
        rows = {row.record.id: row for row in images.scan_rows()}
        expected = many(300, seed=1)
        assert images.count() == len(rows) == 300
        assert all(
            np.allclose(rows[row.record.id].embedding, row.embedding, atol=1e-6) for row in expected
        )


def refused(images: Collection) -> None:
    """Every call fails soon, the first one and those after it."""
    for call in (
        lambda: images.upsert(many(300, seed=2)),
        lambda: images.count(),
        lambda: images.search(np.ones(4, dtype=np.float32), limit=3),
        images.finish_writes,
    ):
        started = time.monotonic()
        with pytest.raises(StoreError, match="Milvus"):
            call()
        assert time.monotonic() - started < PATIENCE


@pytest.mark.parametrize("mode", ["closed", "silent"])
def test_a_network_that_is_cut(milvus_server: str, mode: str) -> None:
    name = f"cut_{uuid4().hex}"
    with network_to(milvus_server) as network, Store.open(network.uri) as store:
        images = store.create(name, MODEL)
        images.upsert(many(300, seed=1))
        images.finish_writes()
        network.set_mode(mode)
        refused(images)
        started = time.monotonic()
        with pytest.raises(StoreError, match="no Milvus answers"):
            Store.open(network.uri)
        assert time.monotonic() - started < PATIENCE
        network.set_mode("up")
        images.upsert(many(300, seed=1))
        images.finish_writes()
        check(milvus_server, name)
        store.drop(name)


@pytest.fixture(scope="module")
def own_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BundledServer]:
    cache = pytestconfig.cache
    unpacked = cache.mkdir("milvus-2.3.5") if cache else tmp_path_factory.mktemp("milvus")
    try:
        server = BundledServer(
            unpacked, tmp_path_factory.mktemp("own-server"), settings=FORGETS_SOON
        )
    except UnavailableError as reason:
        pytest.skip(str(reason))
    start(server)
    yield server
    server.close()


def start(server: BundledServer) -> None:
    server.start()
    wait_until_ready(StartedServer(server.uri, server.death), seconds=120)


def test_a_server_that_is_killed(own_server: BundledServer) -> None:
    with Store.open(own_server.uri) as store:
        images = store.create("killed", MODEL)
        images.upsert(many(300, seed=1))
        images.finish_writes()
        own_server.kill()
        refused(images)
        start(own_server)
        images.upsert(many(300, seed=1))
        images.finish_writes()
    check(own_server.uri, "killed")
