"""Whole searches by a daemon, which is a thread of this process."""

import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from clipsearch.daemon import connection, request_service
from clipsearch.daemon.connection import DaemonLostError, send_request
from clipsearch.daemon.endpoint import create_endpoint
from clipsearch.daemon.request import search
from clipsearch.daemon.shared_backend import ShutdownError
from clipsearch.errors import MissingCollectionError, ModelError, UsageError
from clipsearch.index import Index
from clipsearch.models import registry
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters, Query, Term
from clipsearch.query.response import SearchResponse
from clipsearch.query.search import respond
from clipsearch.uri import parse_uri
from tests.helpers.commands import command
from tests.helpers.daemons import NEEDS_SOCKETS, bare_process, serving
from tests.helpers.fakes import ColorEncoder, draw

pytestmark = NEEDS_SOCKETS


@pytest.fixture
def images(tmp_path: Path, image_folder: Path, loads: list[str]) -> Path:
    """A store with red.png, green.png and blue.png."""
    with Index.open(tmp_path / "images.db", model="pocket") as index:
        index.ingest(image_folder)
    loads.clear()
    return tmp_path / "images.db"


def ask(uri: Path | str, text: str = "green", **options: Any) -> SearchResponse | None:
    terms = options.pop("terms", (Term(text),))
    query, runtime = Query(terms, **options), Runtime(precision="fp32")
    return search(query, parse_uri(uri), None, "images", runtime)


def names(response: SearchResponse | None) -> list[str]:
    assert response
    return [hit.path.name for hit in response.hits]


def test_a_daemon_answers_with_hits(images: Path, image_folder: Path, loads: list[str]) -> None:
    assert ask(images) is None
    with serving(images):
        response = ask(images, limit=1)
        assert response
        assert (response.model, names(response)) == ("pocket", ["green.png"])
        assert response.took_ms > 0
        with Index.open(images) as index:
            assert list(response.hits) == list(index.search("green", limit=1))
        new = draw(image_folder / "new.png", (250, 5, 0))
        assert names(ask(images, terms=(Term(new),), limit=1)) == ["red.png"]
        assert loads == ["pocket"]
    assert ask(images) is None


def test_errors_keep_their_type(images: Path) -> None:
    with serving(images):
        with pytest.raises(UsageError, match="wdth"):
            ask(images, filters=Filters(expression="wdth > 3"))
        with pytest.raises(MissingCollectionError, match="'images'"):
            search(Query((Term("a"),)), parse_uri(images), None, "cats", Runtime())


def test_a_long_request_is_answered(images: Path) -> None:
    with serving(images):
        assert names(ask(images, "green " + "wall " * 100_000, limit=1)) == ["green.png"]


def test_a_search_sees_the_rows_of_an_ingestion_beside_it(images: Path, image_folder: Path) -> None:
    with serving(images), Index.open(images) as index:
        for number in range(3):
            draw(image_folder / f"{number}.png", (0, 200 + number, 30))
            index.ingest(image_folder)
            assert len(names(ask(images))) == 4 + number


def test_several_searches_at_once(images: Path, loads: list[str]) -> None:
    found: dict[str, list[str]] = {}
    with serving(images):
        threads = [
            threading.Thread(target=lambda c=color: found.update({c: names(ask(images, c))}))
            for color in ("red", "green", "blue")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {color: hits[0] for color, hits in found.items()} == {
        color: f"{color}.png" for color in ("red", "green", "blue")
    }
    assert loads == ["pocket"]


def test_log_messages_reach_the_command(images: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "clipsearch"), serving(images):
        ask(images)
    here = threading.get_ident()
    heard = [record for record in caplog.records if record.getMessage() == "loading pocket"]
    assert any(record.thread == here for record in heard)


def test_a_daemon_in_use_does_not_stop(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def slow(*arguments: Any) -> SearchResponse:
        time.sleep(0.8)
        return respond(*arguments)

    monkeypatch.setattr(request_service, "respond", slow)
    with serving(images, idle=0.3):
        endpoint = create_endpoint(parse_uri(images).key)
        thread = threading.Thread(target=ask, args=[images])
        thread.start()
        time.sleep(0.5)
        state = send_request(endpoint, "status")
        assert state
        assert (state["sessions"], state["left"]) == (1, None)
        thread.join()


def test_a_model_that_the_daemon_cannot_load_is_left_to_the_caller(
    images: Path, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, runtime: Runtime, **_: object) -> ColorEncoder:
        raise ModelError("no weights")

    with serving(images):
        monkeypatch.setattr(registry, "load", missing)
        assert ask(images) is None
    with serving(images):
        other = ColorEncoder(weights="0ther")
        monkeypatch.setattr(registry, "load", lambda *_, **__: other)
        assert ask(images) is None


def test_a_name_that_means_another_file_there_is_left_to_the_caller(images: Path) -> None:
    with serving(images):
        assert ask(images, terms=(Term(Path("/dev/stdin")),)) is None


def test_an_image_that_the_daemon_cannot_read_is_left_to_the_caller(
    images: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.jpg").write_text("no image")
    with serving(images):
        assert ask(images, terms=(Term(tmp_path / "bad.jpg"),)) is None
        done = command("similar", tmp_path / "bad.jpg", "--uri", images)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("bad.jpg: not an image in a known format\n")


def test_an_outdated_daemon_is_stopped(images: Path) -> None:
    with serving(images, fingerprint="of last year"):
        with pytest.raises(DaemonLostError):
            ask(images)
        assert send_request(create_endpoint(parse_uri(images).key), "status") is None


def test_a_wrong_token_is_refused() -> None:
    address = parse_uri("http://user:secret@127.0.0.1:9")
    with serving(address.text, token="right"), pytest.raises(DaemonLostError, match="denied"):
        search(Query((Term("a"),)), address, "wrong", "images", Runtime())


def test_a_lost_daemon_does_not_change_the_result_of_a_command(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = command("query", "green", "--uri", images)
    assert direct.returncode == 0

    def assert_same() -> None:
        done = command("query", "green", "--uri", images)
        assert (done.returncode, done.stdout) == (0, direct.stdout)

    def break_down(*_: Any) -> SearchResponse:
        raise MemoryError

    with serving(images) as server:
        assert_same()
        with monkeypatch.context() as patch:
            patch.setattr(request_service, "respond", break_down)
            assert_same()

        def stop(*_: Any) -> SearchResponse:
            server.stop()
            server._is_stopping.wait()
            time.sleep(0.2)
            raise ShutdownError

        monkeypatch.setattr(request_service, "respond", stop)
        assert_same()


def test_a_daemon_that_hangs_is_given_up_once(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = command("query", "green", "--uri", images)
    monkeypatch.setattr(connection, "GREETING_SECONDS", 0.1)
    monkeypatch.setattr(connection, "CALL_SECONDS", 0.1)
    endpoint = create_endpoint(parse_uri(images).key)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(endpoint.socket))
        silent.listen()
        done = command("query", "green", "--uri", images)
    endpoint.socket.unlink()
    assert done.stdout == direct.stdout
    assert done.stderr.count("`clipsearch warm --stop` ends it") == 1
    with serving(images) as server:
        server._store._call_lock.acquire()
        monkeypatch.setattr(connection, "send_request", lambda *_: None)
        assert command("query", "green", "--uri", images).stdout == direct.stdout
        server._store._call_lock.release()


def test_ctrl_c_ends_a_search(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with bare_process(images):
        monkeypatch.setattr("clipsearch.daemon.request.receive_message", interrupt)
        done = command("query", "green", "--uri", images)
    assert (done.returncode, done.stderr.strip()) == (130, "clipsearch: interrupted")
