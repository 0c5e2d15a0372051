"""The collection of texts behaves the same on Milvus Lite, on a server and through a daemon."""

from collections.abc import Iterator
from contextlib import nullcontext
from uuid import uuid4

import pytest

from clipsearch.daemon.endpoint import is_supported
from clipsearch.images.hashing import image_id
from clipsearch.session import open_store
from clipsearch.store import Collection, Store
from clipsearch.store.texts import TextRow
from clipsearch.store.texts.schema import TEXT, texts_name
from tests.helpers.daemons import serving
from tests.helpers.records import MODEL, row
from tests.helpers.texts import image_text, text_row

RUN = f"test_{uuid4().hex[:12]}"
PATHS = [f"/photos/{n}.png" for n in range(700)]
IDS = [image_id(row(path).record.path) for path in PATHS]


@pytest.fixture(scope="module", params=["lite", "server", "daemon"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    if request.param == "daemon" and not is_supported():
        pytest.skip("a daemon needs Unix sockets")
    path = tmp_path_factory.mktemp("store") / "photos.db"
    is_server = request.param == "server"
    address = request.getfixturevalue("milvus_server") if is_server else path
    with (
        serving(path) if request.param == "daemon" else nullcontext(),
        open_store(address) as opened,
    ):
        yield opened
        for info in opened.collections():
            if info.name.startswith(RUN):
                opened.drop(info.name)


@pytest.fixture(scope="module")
def reused(store: Store) -> Collection:
    return store.create(f"{RUN}_texts", MODEL)


@pytest.fixture
def images(reused: Collection) -> Collection:
    """A collection without images and texts."""
    reused.texts.delete([state.id for state in reused.texts.scan_states()])
    reused.delete([record.id for record in reused.scan()])
    return reused


def test_nothing_was_read_at_first(store: Store) -> None:
    own = store.create(f"{RUN}_unread", MODEL)
    assert not own.texts.exist()
    assert own.texts.count() == 0
    assert own.texts.get(IDS) == {}
    assert own.texts.find_by_content(["hash"]) == {}
    assert not any((*own.texts.scan(), *own.texts.scan_states(), *own.texts.candidates("")))
    own.texts.delete(IDS)
    own.texts.follow({IDS[0]: "hash"})
    assert not own.texts.exist()
    store.drop(own.info.name)


def test_texts_come_back(images: Collection) -> None:
    rows = [text_row(path, ["Line", f"{n}"], content=f"{n}") for n, path in enumerate(PATHS)]
    images.texts.upsert(rows)
    assert images.texts.count() == len(rows)
    assert images.texts.get([IDS[1], IDS[699], "0" * 32]) == {IDS[1]: rows[1], IDS[699]: rows[699]}
    assert {row.id: row for row in images.texts.scan()} == {row.id: row for row in rows}
    assert {state.content_hash for state in images.texts.scan_states()} == {
        f"{n}" for n in range(700)
    }
    assert images.texts.find_by_content(["3", "none"]) == {"3": rows[3]}
    assert images.texts.candidates(f'{TEXT} == "line 5"') == [rows[5]]


def test_a_text_is_replaced(images: Collection) -> None:
    images.texts.upsert([text_row("/a.png", ["old"])])
    images.texts.upsert([text_row("/a.png"), text_row("/a.png", ["new"])])
    [found] = images.texts.scan()
    assert found == text_row("/a.png", ["new"])


def test_the_text_of_a_deleted_image_is_deleted(images: Collection) -> None:
    rows = [row("/a.png"), row("/b.png")]
    images.upsert(rows)
    images.texts.upsert([text_row("/a.png", ["a"]), text_row("/b.png", ["b"])])
    images.delete([rows[0].record.id])
    assert [found.id for found in images.texts.scan()] == [rows[1].record.id]


def test_texts_follow_contents(images: Collection) -> None:
    moved, copied, changed, same = (image_id(row(f"/{n}.png").record.path) for n in range(4))
    texts = [
        text_row("/old.png", ["known"], content="known"),
        text_row("/2.png", ["earlier"], content="earlier"),
        text_row("/3.png", ["same"], content="same"),
    ]
    images.texts.upsert(texts)
    images.texts.follow({moved: "known", copied: "known", changed: "later", same: "same"})
    known = image_text("known")
    assert images.texts.get([moved, copied, changed, same]) == {
        moved: TextRow(moved, "known", known),
        copied: TextRow(copied, "known", known),
        same: texts[2],
    }


def test_the_texts_of_a_dropped_collection_are_deleted(store: Store) -> None:
    own = store.create(f"{RUN}_dropped", MODEL)
    own.texts.upsert([text_row("/a.png", ["secret"])])
    assert texts_name(own.info.name) in store.backend.collection_names()
    store.drop(own.info.name)
    assert texts_name(own.info.name) not in store.backend.collection_names()
    again = store.create(f"{RUN}_dropped", MODEL)
    assert again.texts.count() == 0
