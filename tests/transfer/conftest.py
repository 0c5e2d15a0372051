"""Two local stores, and rows with every field."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.store import Store


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """Two empty stores, shared by a module as opening one takes a second."""
    folder: Path = tmp_path_factory.mktemp("stores")
    with Store.open(folder / "source.db") as source, Store.open(folder / "target.db") as target:
        yield source, target


@pytest.fixture
def source_store(stores: tuple[Store, Store]) -> Iterator[Store]:
    """A store without collections."""
    yield stores[0]
    for info in stores[0].collections():
        stores[0].drop(info.name)


@pytest.fixture
def target_store(stores: tuple[Store, Store]) -> Iterator[Store]:
    """Another store without collections."""
    yield stores[1]
    for info in stores[1].collections():
        stores[1].drop(info.name)
