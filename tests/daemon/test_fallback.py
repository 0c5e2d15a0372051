"""A daemon that is outdated, lost or does not answer: commands continue without it."""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clipsearch.daemon import connection, outcome, pickles
from clipsearch.daemon.client import DaemonClient
from clipsearch.daemon.endpoint import create_endpoint, find_endpoint
from clipsearch.session import open_store
from clipsearch.uri import parse_uri
from tests.helpers.daemons import NEEDS_SOCKETS, bare_process, serving, uses_daemon
from tests.helpers.records import many

pytestmark = NEEDS_SOCKETS


def test_an_idle_daemon_of_another_version_is_stopped(path: Path) -> None:
    with serving(path, fingerprint="of last year"):
        endpoint = find_endpoint(parse_uri(path).key)
        assert endpoint is not None
        assert connection.send_request(endpoint, "status") is not None
        with open_store(path) as store:
            assert not uses_daemon(store)
            assert store.collection("photos").count() == 7
        assert connection.send_request(endpoint, "status") is None


def test_a_daemon_of_another_version_is_not_stopped_during_a_write(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(path) as server, open_store(path) as writer:
        images = writer.collection("photos")
        images.upsert(many(8))
        server._fingerprint = "of another version"
        uri = parse_uri(path)
        assert DaemonClient.find(uri.key, uri.access_key(None), create=True) is None
        assert f"process {os.getpid()} is writing through it" in caplog.text
        assert uses_daemon(writer)
        images.upsert(many(9))
        assert images.count() == 9


def test_a_stopped_daemon_is_replaced_by_a_direct_connection(path: Path) -> None:
    with open_store(path) as store:  # no daemon runs yet
        assert not uses_daemon(store)
    with serving(path) as server:
        store = open_store(path)
        images = store.collection("photos")
        images.upsert(many(9))
        assert uses_daemon(store)
        server.stop()
        deadline = time.monotonic() + 10
        while connection.send_request(create_endpoint(parse_uri(path).key), "status") is not None:
            assert time.monotonic() < deadline
        images.upsert(many(20))
        images.finish_writes()
        assert not uses_daemon(store)
        assert (images.count(), images.info.rows) == (20, 20)
        store.close()


def test_an_unexpected_failure_is_retried_directly(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(path), open_store(path) as store:
        images = store.collection("photos")

        def broken(*_: object, **__: object) -> None:
            raise MemoryError

        monkeypatch.setattr(outcome, "_plain_result", broken)
        assert images.count() == 7
        assert not uses_daemon(store)


def test_an_interrupted_call_leaves_no_response_for_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = pickles.receive

    def interrupted(source: socket.socket, on_timeout: Callable[[], None] | None = None) -> object:
        if threading.current_thread() is not threading.main_thread():
            return receive(source, on_timeout)
        monkeypatch.setattr(pickles, "receive", receive)
        raise KeyboardInterrupt

    with serving(path), open_store(path) as store:
        images = store.collection("photos")
        images.upsert(many(8))
        monkeypatch.setattr(pickles, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            images.count("size > 100")
        assert images.count() == 8
        images.finish_writes()  # as an interrupted command does
        assert uses_daemon(store)


def test_a_socket_left_by_a_killed_daemon_is_ignored(path: Path) -> None:
    endpoint = create_endpoint(parse_uri(path).key)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(endpoint.socket))
    with open_store(path) as store:
        assert not uses_daemon(store)
        assert store.collection("photos").count() == 7
    with serving(path), open_store(path) as store:
        assert uses_daemon(store)


def test_a_daemon_that_just_locked_the_file_is_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([None])
    monkeypatch.setattr(
        "clipsearch.daemon.client.find_endpoint", lambda key: next(looks, find_endpoint(key))
    )
    with bare_process(path):
        with open_store(path) as first:  # the daemon opens the file for this store
            assert not uses_daemon(first)
        looks = iter([])
        with open_store(path) as store:
            assert uses_daemon(store)
            store.collections()
            looks = iter([None])
            with open_store(path) as late:
                assert uses_daemon(late)
                assert late.collection("photos").count() == 7


def test_a_daemon_that_does_not_answer_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "GREETING_SECONDS", 0.05)
    endpoint = create_endpoint(parse_uri(path).key)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(endpoint.socket))
        silent.listen()
        with open_store(path) as store:
            assert not uses_daemon(store)
            assert store.collection("photos").count() == 7
    endpoint.socket.unlink()
    assert "`clipsearch warm --stop`" in caplog.text


def test_a_daemon_that_hangs_in_a_call_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CALL_SECONDS", 0.05)
    with serving(path) as server, open_store(path) as store:
        images = store.collection("photos")
        slow = threading.Timer(0.3, server._store._call_lock.release)
        server._store._call_lock.acquire()
        slow.start()
        assert images.count() == 7  # slow, but alive
        assert uses_daemon(store)
        server._store._call_lock.acquire()
        monkeypatch.setattr(connection, "send_request", lambda *_: None)
        assert images.count() == 7
        assert not uses_daemon(store)
        server._store._call_lock.release()
