"""The Python API within the daemon, which is a thread of this process."""

import time
from pathlib import Path

import pytest

from clipsearch.daemon import shared_backend
from clipsearch.daemon.host import open_index, warm_up
from clipsearch.errors import BusyStoreError, MissingCollectionError, ModelError, StoreError
from clipsearch.index import Index
from clipsearch.models import registry
from clipsearch.session import daemon_of
from tests.helpers.daemons import NEEDS_SOCKETS, serving
from tests.helpers.fakes import draw

pytestmark = NEEDS_SOCKETS


@pytest.fixture
def images(tmp_path: Path, image_folder: Path, loads: list[str]) -> Path:
    """A store with red.png, green.png and blue.png."""
    with Index.open(tmp_path / "images.db", model="pocket") as index:
        index.ingest(image_folder)
    loads.clear()
    return tmp_path / "images.db"


def test_the_host_searches_beside_commands_with_one_model(images: Path, loads: list[str]) -> None:
    with (
        serving(images) as server,
        open_index(server, "images") as first,
        open_index(server, "images") as second,
        Index.open(images) as command,
    ):
        assert daemon_of(command.store)
        expected = list(command.search("green"))
        assert list(first.search("green")) == list(second.search("green")) == expected != []
        assert loads == ["pocket"]


def test_an_index_that_is_closed_lets_others_write(
    images: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_backend, "WRITER_SECONDS", 0.05)
    draw(image_folder / "gray.png", (90, 90, 90))
    with serving(images) as server, Index.open(images) as command:
        with open_index(server, "images") as index:
            index.store.backend.begin_writes()
            with pytest.raises(BusyStoreError):
                command.ingest(image_folder)
        assert command.ingest(image_folder).stored == 1
        with open_index(server, "images") as index:
            assert len(index) == 4


def test_a_collection_may_be_missing_and_is_created_by_an_ingestion(
    tmp_path: Path, image_folder: Path, images: Path
) -> None:
    with serving(images) as server, open_index(server, "others") as index:
        assert index.find_collection() is None
        with pytest.raises(MissingCollectionError):
            index.search("green")
        assert index.ingest(image_folder).stored == 3
        with Index.open(images, collection="others") as command:
            assert len(command) == 3


def test_a_stopped_server_is_an_error_of_the_store(images: Path) -> None:
    with serving(images) as server:
        index = open_index(server, "images")
        assert len(index) == 3
    with pytest.raises(StoreError, match="the server is stopping"):
        len(index)
    with pytest.raises(StoreError, match="the server is stopping"):
        open_index(server, "images")
    index.close()


def test_an_open_index_keeps_the_daemon_from_being_idle(images: Path) -> None:
    with serving(images, idle=0.2) as server:
        with open_index(server, "images") as index:
            time.sleep(0.5)
            assert len(index) == 3
        deadline = time.monotonic() + 10
        while not server.is_stopping:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_reason_why_there_is_no_model_is_returned(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(images) as server:
        with open_index(server, "images") as index:
            assert warm_up(index) == []
        with open_index(server, "missing") as index:
            assert warm_up(index) == []
    monkeypatch.setattr(registry, "load", failing)
    with serving(images) as server, open_index(server, "images") as index:
        assert warm_up(index) == ["no such weights"]


def failing(*_: object, **__: object) -> None:
    raise ModelError("no such weights")
