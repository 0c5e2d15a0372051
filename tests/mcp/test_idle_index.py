"""When the index is opened and closed, and what stays loaded."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from clipsearch import Index
from clipsearch.errors import ModelMismatchError, StoreError, UsageError
from clipsearch.mcp.idle_index import IdleIndex
from clipsearch.models.base import Encoder
from tests.helpers.fakes import ColorEncoder


class Opener:
    """Opens fake indexes, and counts them."""

    def __init__(self) -> None:
        self.models: list[Encoder | None] = []
        self.open = 0
        self.refuses_models = False

    def __call__(self, model: Encoder | None) -> Index:
        self.models.append(model)
        if model and self.refuses_models:
            raise ModelMismatchError("made by another model")
        self.open += 1

        def close() -> None:
            self.open -= 1

        fake = SimpleNamespace(
            close=close, load=lambda: model or ColorEncoder(), store=SimpleNamespace(backend=None)
        )
        return cast("Index", fake)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_opens_at_the_first_use_and_closes_when_idle() -> None:
    opener = Opener()
    index = IdleIndex(opener, store_idle=0.05)
    assert opener.open == 0
    with index.use():
        time.sleep(0.1)
        assert opener.open == 1  # not idle while it is used
    wait_until(lambda: opener.open == 0)
    with index.use():
        assert opener.open == 1
    index.close()
    assert opener.open == 0
    assert len(opener.models) == 2


def test_uses_in_close_succession_share_one_index() -> None:
    opener = Opener()
    index = IdleIndex(opener, store_idle=60)
    with index.use() as first, index_used_later(index) as seen:
        time.sleep(0.05)
        assert not seen  # one thread at a time
    wait_until(lambda: bool(seen))
    assert seen == [first]
    index.close()


class index_used_later:  # noqa: N801 - reads as a function
    """Use an index in another thread; yields the list to which that adds it."""

    def __init__(self, index: IdleIndex) -> None:
        self.seen: list[Index] = []
        self.thread = threading.Thread(target=self._use, args=[index])

    def _use(self, index: IdleIndex) -> None:
        with index.use() as used:
            self.seen.append(used)

    def __enter__(self) -> list[Index]:
        self.thread.start()
        return self.seen

    def __exit__(self, *_: object) -> None:
        pass


def test_the_model_stays_loaded_longer_than_the_store_is_open() -> None:
    opener = Opener()
    index = IdleIndex(opener, store_idle=0.01, model_idle=0.3)
    with index.use():
        model = index.load()
    wait_until(lambda: opener.open == 0)
    with index.use():
        assert index.load() is model
    time.sleep(0.5)
    with index.use():
        assert index.load() is not model
    assert opener.models == [None, model, None]
    index.close()


def test_a_collection_that_was_made_again_gets_its_own_model() -> None:
    opener = Opener()
    index = IdleIndex(opener, store_idle=0.01)
    with index.use():
        model = index.load()
    wait_until(lambda: opener.open == 0)
    opener.refuses_models = True
    with index.use():
        assert index.load() is not model
    assert opener.models == [None, model, None]
    index.close()


def test_an_error_of_the_store_closes_it_at_once() -> None:
    opener = Opener()
    index = IdleIndex(opener, store_idle=60)
    for error, still_open in ((UsageError("wrong argument"), 1), (StoreError("dropped"), 0)):
        with pytest.raises(type(error)), index.use():
            raise error
        assert opener.open == still_open


def test_an_index_that_cannot_be_opened_is_tried_again() -> None:
    opener = Opener()

    def fail_once(model: Encoder | None) -> Index:
        if not opener.models:
            opener.models.append(None)
            raise StoreError("open in another process")
        return opener(model)

    index = IdleIndex(fail_once)
    with pytest.raises(StoreError), index.use():
        pass
    with index.use():
        assert opener.open == 1
    index.close()
