"""Writes to a server: what fits into a message, and fields that change alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymilvus import MilvusException

from clipsearch.errors import RefusedRowsError
from clipsearch.store.connection import MilvusConnection
from clipsearch.store.schema import Entity
from clipsearch.store.writes import MESSAGE_BYTES, WRITE_ROWS, Writes, _split

VECTOR = np.ones(4, np.float32)


@dataclass
class Server:
    """The client and the connection of a server, which lacks the rows `deleted`."""

    deleted: frozenset[str] = frozenset()
    requests: list[tuple[list[Entity], bool]] = field(default_factory=list)
    uri = "http://server"
    server = None
    path = None

    def upsert(
        self, name: str, data: list[Entity], *, timeout: float, partial_update: bool = False
    ) -> None:
        assert name == "images"
        assert timeout > 0
        if partial_update and any(entity["id"] in self.deleted for entity in data):
            raise MilvusException(1100, "fieldSchema(path) has no corresponding fieldData")
        self.requests.append((data, partial_update))

    def client_for(self, name: str) -> "Server":
        return self

    def write_seconds(self, rows: int) -> float:
        return 60.0

    def repeat(self, call: Callable[[], Any]) -> Any:
        return call()

    @contextmanager
    def translating(self, *_: str) -> Iterator[None]:
        yield

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        yield


def entities(count: int, text: str = "") -> list[Entity]:
    return [
        {"id": f"{n}", "path": text, "tags": [text], "checksum": n, "embedding": VECTOR}
        for n in range(count)
    ]


def writes_of(server: Server) -> Writes:
    return Writes(cast("MilvusConnection", server))


def test_an_update_sends_the_changed_fields_only() -> None:
    server = Server()
    writes_of(server).update("images", entities(3), ["tags", "checksum"])
    [(data, is_partial)] = server.requests
    assert is_partial
    assert data == [{"id": f"{n}", "tags": [""], "checksum": n} for n in range(3)]


def test_an_update_of_a_row_that_was_deleted_writes_all_of_it() -> None:
    server = Server(deleted=frozenset("1"))
    writes_of(server).update("images", entities(3), ["tags"])
    [(data, is_partial)] = server.requests
    assert not is_partial
    assert [entity["id"] for entity in data] == ["0", "1", "2"]
    assert all(entity["embedding"] is VECTOR for entity in data)


def test_a_row_that_never_fits_is_refused() -> None:
    server = Server()

    def refuse(*_: Any, **__: Any) -> None:
        raise MilvusException(1100, "too long")

    server.upsert = refuse  # type: ignore[method-assign]
    with pytest.raises(RefusedRowsError, match="too long"):
        writes_of(server).update("images", entities(3), ["tags"])


def test_updating_nothing_sends_nothing() -> None:
    server = Server()
    writes_of(server).update("images", [], ["tags"])
    assert not server.requests


texts = st.text(max_size=5).map(lambda text: text * 20_000)


@given(st.lists(st.tuples(texts, st.lists(texts, max_size=5)), max_size=40))
def test_batches_fit_into_a_message(rows: list[tuple[str, list[str]]]) -> None:
    given_entities = [
        {"id": str(n), "path": path, "tags": tags} for n, (path, tags) in enumerate(rows)
    ]
    found = list(_split(given_entities))
    assert [entity for batch in found for entity in batch] == given_entities
    for batch in found:
        sizes = [len("".join((entity["path"], *entity["tags"])).encode()) for entity in batch]
        assert sum(sizes[:-1]) <= MESSAGE_BYTES  # a last row of any size comes on top
        assert len(batch) <= WRITE_ROWS


def test_small_rows_are_written_in_large_batches() -> None:
    sizes = [len(batch) for batch in _split(entities(5_000, "/a/path.jpg"))]
    assert sizes == [2_000, 2_000, 1_000]
