"""Calls of an Index from an event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from clipsearch.daemon.host import open_index
from clipsearch.daemon.server import Server
from clipsearch.errors import MissingCollectionError, UsageError
from clipsearch.index import Index
from clipsearch.models import registry
from clipsearch.query import Query, Term
from clipsearch.query.parser import StoredImage
from clipsearch.web import engine as engine_module
from clipsearch.web.engine import Engine
from clipsearch.web.problems import BusyProblem
from clipsearch.web.settings import Limits
from tests.helpers.daemons import serving
from tests.helpers.fakes import ColorEncoder, draw

T = TypeVar("T")


class CountingEncoder(ColorEncoder):
    """Counts the calls, and can be held up."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()

    def encode_texts(self, texts: Sequence[str]) -> Any:
        self.may_go.wait(10)
        self.calls.append(len(texts))
        return super().encode_texts(texts)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> CountingEncoder:
    """The fake model that every name loads."""
    encoder = CountingEncoder()
    monkeypatch.setattr(registry, "load", lambda *_, **__: encoder)
    return encoder


@pytest.fixture
def own_server(tmp_path: Path, image_folder: Path, counting: CountingEncoder) -> Iterator[Server]:
    """A daemon of a store with red.png, green.png and blue.png."""
    path = tmp_path / "own.db"
    with Index.open(path, model="pocket", daemon=False) as index:
        index.ingest(image_folder)
    with serving(path, idle=600) as server:
        yield server


def run(
    server: Server, test: Callable[[Engine], Coroutine[Any, Any, T]], limits: Limits | None = None
) -> T:
    async def body() -> T:
        engine = Engine(partial(open_index, server, "images"), limits)
        try:
            return await test(engine)
        finally:
            await engine.close()

    return asyncio.run(asyncio.wait_for(body(), 60))


def text(words: str) -> Query:
    return Query((Term(words),))


def test_concurrent_queries_share_one_call_of_the_encoder(
    own_server: Server, counting: CountingEncoder
) -> None:
    async def test(engine: Engine) -> None:
        await engine.search(text("red"))
        counting.calls.clear()
        counting.may_go.clear()
        first = asyncio.create_task(engine.search(text("red")))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(engine.search(text(c))) for c in ("green", "blue") * 8]
        await asyncio.sleep(0.05)
        counting.may_go.set()
        rankings = await asyncio.gather(first, *others)
        names = [ranking.hits[0].path.stem for ranking in rankings]
        assert names == ["red", *("green", "blue") * 8]
        assert counting.calls == [1, 16]

    run(own_server, test)


def test_a_wrong_query_spoils_no_other(own_server: Server) -> None:
    async def test(engine: Engine) -> None:
        wrong = Query((Term(StoredImage("abcdef")),))
        queries = [text("red"), wrong, text("blue"), text("green")]
        results = await asyncio.gather(*map(engine.search, queries), return_exceptions=True)
        assert isinstance(results[1], UsageError)
        assert not any(isinstance(results[n], BaseException) for n in (0, 2, 3))

    run(own_server, test)


def test_new_images_are_found(
    own_server: Server, image_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine_module, "FRESH_SECONDS", 0.0)

    async def test(engine: Engine) -> None:
        await engine.search(text("red"))
        roots = await engine.call(lambda index: index.collection.info.roots)
        draw(tmp_path / "more" / "black.png", (0, 0, 9))
        await asyncio.to_thread(ingest, tmp_path / "more")
        ranking = await engine.search(text("blue"))
        assert "black" in {hit.path.stem for hit in ranking.hits}
        later = await engine.call(lambda index: index.collection.info.roots)
        assert set(later) - set(roots) == {tmp_path / "more"}

    def ingest(folder: Path) -> None:
        with open_index(own_server, "images") as index:
            index.ingest(folder)

    run(own_server, test)


def test_an_index_is_kept_while_nothing_changes(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "FRESH_SECONDS", 0.0)

    async def test(engine: Engine) -> None:
        one = {await engine.call(id) for _ in range(10)}
        assert len(one) <= engine.limits.threads

    run(own_server, test)


def test_a_collection_may_be_made_later(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "FRESH_SECONDS", 0.0)

    async def test() -> None:
        engine = Engine(partial(open_index, own_server, "later"))
        with pytest.raises(MissingCollectionError):
            await engine.search(text("red"))
        await asyncio.to_thread(ingest)
        assert (await engine.search(text("red"))).hits[0].path.stem == "red"
        await engine.close()

    def ingest() -> None:
        with open_index(own_server, "images") as index:
            [root] = index.collection.info.roots
        with open_index(own_server, "later") as index:
            index.ingest(root)

    asyncio.run(asyncio.wait_for(test(), 60))


def test_the_event_loop_goes_on_meanwhile(own_server: Server, counting: CountingEncoder) -> None:
    async def test(engine: Engine) -> None:
        counting.may_go.clear()
        searching = asyncio.create_task(engine.search(text("red")))
        decoding = asyncio.create_task(engine.decode(lambda: counting.may_go.wait(10)))
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert len(await engine.call(lambda index: index.collection.info.roots)) == 1
        assert not searching.done()
        counting.may_go.set()
        await searching
        assert await decoding

    run(own_server, test)


def test_cancelled_calls_leave_the_queue(own_server: Server) -> None:
    started = threading.Event()
    may_go = threading.Event()
    ran = []

    def hold() -> None:
        started.set()
        may_go.wait(10)

    async def test(engine: Engine) -> None:
        holding = [asyncio.create_task(engine.run(hold)) for _ in range(engine.limits.threads)]
        await asyncio.to_thread(started.wait)
        waiting = [asyncio.create_task(engine.run(lambda: ran.append(1))) for _ in range(3)]
        await asyncio.sleep(0.05)
        for task in waiting:
            task.cancel()
        await asyncio.sleep(0.05)
        may_go.set()
        await asyncio.gather(*holding)
        assert engine.pending == 0

    run(own_server, test)
    assert ran == []


def test_too_many_calls_are_refused(own_server: Server) -> None:
    may_go = threading.Event()

    async def test(engine: Engine) -> None:
        holding = [asyncio.create_task(engine.run(may_go.wait)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(BusyProblem):
            await engine.call(len)
        may_go.set()
        await asyncio.gather(*holding)

    run(own_server, test, Limits(queue=2))
