"""A store for a daemon, and a fake model that it loads."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.models import registry
from clipsearch.models.runtime import Runtime
from clipsearch.session import open_store
from tests.helpers.fakes import ColorEncoder
from tests.helpers.records import MODEL, many


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with seven rows in `photos`."""
    with open_store(tmp_path / "photos.db") as store:
        images = store.create("photos", MODEL)
        images.upsert(many(7))
        images.finish_writes()
    return tmp_path / "photos.db"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, encoder: ColorEncoder) -> list[str]:
    """The names of the loaded models, here or in the daemon; all are the fake encoder."""
    names: list[str] = []

    def load(name: str, runtime: Runtime | None = None, **_: object) -> ColorEncoder:
        logging.getLogger("clipsearch").info("loading %s", name)
        names.append(name)
        return encoder

    monkeypatch.setattr(registry, "load", load)
    return names


@pytest.fixture(autouse=True)
def no_loading_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "loading"]
