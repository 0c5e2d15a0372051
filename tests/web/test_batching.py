"""Requests that arrive while others are answered are answered together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from clipsearch.web.batching import Batcher
from clipsearch.web.problems import BusyProblem


class Doubler:
    """Doubles numbers once it may; remembers the batches. A negative number is an error."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go = asyncio.Event()
        self.batcher = Batcher[int, int](self.answer, size=4, max_waiting=6)

    async def answer(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(items))
        await self.may_go.wait()
        if 99 in items:
            raise RuntimeError("all fail")
        return [2 * item if item >= 0 else ValueError(str(item)) for item in items]

    def submit(self, item: int) -> "asyncio.Task[int]":
        return asyncio.create_task(self.batcher.submit(item))


def run(test: Callable[[Doubler], Awaitable[None]]) -> None:
    async def body() -> None:
        await test(Doubler())

    asyncio.run(asyncio.wait_for(body(), 20))


def test_the_first_item_waits_for_no_other() -> None:
    async def test(doubler: Doubler) -> None:
        doubler.may_go.set()
        assert await doubler.batcher.submit(3) == 6
        assert await doubler.batcher.submit(4) == 8
        assert doubler.batches == [[3], [4]]

    run(test)


def test_items_that_come_meanwhile_share_batches_of_limited_size() -> None:
    async def test(doubler: Doubler) -> None:
        tasks = [doubler.submit(0)]
        await asyncio.sleep(0.01)
        tasks += [doubler.submit(n) for n in range(1, 7)]
        await asyncio.sleep(0.01)
        assert doubler.batcher.waiting == 6
        doubler.may_go.set()
        assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10, 12]
        assert doubler.batches == [[0], [1, 2, 3, 4], [5, 6]]

    run(test)


def test_an_error_is_only_that_of_its_item() -> None:
    async def test(doubler: Doubler) -> None:
        doubler.may_go.set()
        results = await asyncio.gather(
            *map(doubler.batcher.submit, (1, -1, 2)), return_exceptions=True
        )
        assert [str(result) for result in results] == ["2", "-1", "4"]
        with pytest.raises(RuntimeError, match="all fail"):
            await doubler.batcher.submit(99)
        assert await doubler.batcher.submit(5) == 10

    run(test)


def test_a_full_queue_refuses() -> None:
    async def test(doubler: Doubler) -> None:
        tasks = [doubler.submit(0)]
        await asyncio.sleep(0.01)
        tasks += [doubler.submit(n) for n in range(6)]
        await asyncio.sleep(0.01)
        with pytest.raises(BusyProblem):
            await doubler.batcher.submit(7)
        doubler.may_go.set()
        await asyncio.gather(*tasks)

    run(test)


def test_cancelled_items_are_left_out() -> None:
    async def test(doubler: Doubler) -> None:
        running = doubler.submit(0)
        await asyncio.sleep(0.01)
        waiting = [doubler.submit(n) for n in (1, 2, 3)]
        await asyncio.sleep(0.01)
        running.cancel()
        waiting[1].cancel()
        await asyncio.sleep(0.01)
        doubler.may_go.set()
        assert [await waiting[0], await waiting[2]] == [2, 6]
        assert doubler.batches == [[0], [1, 3]]
        await doubler.batcher.close()

    run(test)
