"""The Python API within the daemon, which is a thread of this process."""

from pathlib import Path

import pytest

from clipsearch.daemon import shared_backend
from clipsearch.daemon.host import open_index
from clipsearch.errors import BusyStoreError, MissingCollectionError, StoreError
from clipsearch.index import Index
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
