"""Who may use a daemon, where its socket is, and how long it runs."""

import os
import time
from pathlib import Path

import pytest

from clipsearch.daemon import connection
from clipsearch.daemon.client import DaemonClient
from clipsearch.daemon.endpoint import Endpoint, create_endpoint, find_endpoint
from clipsearch.daemon.server import Server
from clipsearch.errors import (
    StoreError,
)
from clipsearch.session import open_store
from clipsearch.uri import parse_uri
from tests.helpers.daemons import NEEDS_SOCKETS, serving, uses_daemon

pytestmark = NEEDS_SOCKETS


def test_a_server_is_shared_only_with_the_right_token_and_password() -> None:
    address = "http://user:secret@127.0.0.1:9"
    with serving(address, token="right"):
        where, guess = parse_uri(address), parse_uri(address.replace("secret", "guess"))
        assert "secret" not in where.key
        assert guess.key == where.key
        endpoint = find_endpoint(where.key)
        assert endpoint is not None
        assert DaemonClient.find(where.key, where.access_key("right"), create=True)
        assert DaemonClient.find(where.key, where.access_key("wrong"), create=True) is None
        assert DaemonClient.find(where.key, guess.access_key("right"), create=True) is None
        assert connection.send_request(endpoint, "status") is not None


def test_daemon_stops_when_idle_but_not_while_it_is_used(path: Path) -> None:
    with serving(path, idle=0.3):
        endpoint = create_endpoint(parse_uri(path).key)
        with open_store(path) as store:
            time.sleep(0.6)
            state = connection.send_request(endpoint, "status")
            assert state is not None
            assert (state["sessions"], state["left"]) == (1, None)
            assert store.collection("photos").count() == 7
            assert uses_daemon(store)
        deadline = time.monotonic() + 10
        while connection.send_request(endpoint, "status") is not None:
            assert time.monotonic() < deadline
        assert not endpoint.socket.exists()


def test_a_store_has_one_daemon(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(path)
    endpoint = create_endpoint(parse_uri(path).key)
    with serving(path), pytest.raises(StoreError, match="already has a daemon"):
        Server(endpoint, parse_uri(path), None, idle=1)
    with serving(path), open_store(tmp_path / "link.db") as store:
        assert uses_daemon(store)


def test_folder_and_socket_are_private(path: Path) -> None:
    with serving(path):
        endpoint = create_endpoint(parse_uri(path).key)
        assert endpoint.folder.stat().st_mode & 0o777 == 0o700
        assert endpoint.socket.stat().st_mode & 0o777 == 0o600
        endpoint.folder.chmod(0o755)
        try:
            assert find_endpoint(parse_uri(path).key) is None
        finally:
            endpoint.folder.chmod(0o700)


def test_a_process_of_another_user_is_ignored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(path):
        endpoint = create_endpoint(parse_uri(path).key)
        monkeypatch.setattr("clipsearch.daemon.server.is_own_peer", lambda connected: False)
        assert connection.send_request(endpoint, "status") is None
        monkeypatch.setattr("clipsearch.daemon.server.is_own_peer", lambda connected: True)
        monkeypatch.setattr("clipsearch.daemon.connection.is_own_peer", lambda connected: False)
        assert connection.send_request(endpoint, "status") is None
        with open_store(path) as store:
            assert not uses_daemon(store)
            assert store.collection("photos").count() == 7


def test_an_endpoint_has_a_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    endpoint = create_endpoint("somewhere")
    assert isinstance(endpoint, Endpoint)
    assert len(os.fsencode(endpoint.socket)) <= 100
