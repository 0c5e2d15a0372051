"""Batches of the requests that arrive while earlier ones are answered."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from clipsearch.web.problems import BusyProblem

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Answers items one batch after the other. For one event loop.

    An item never waits for others to come: the first one starts at once, and those that arrive
    meanwhile make the next batch. So a single client has no delay, and many share the work.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        size: int,
        max_waiting: int,
    ) -> None:
        """`answer` returns a result, or an exception to raise, for each of at most `size` items."""
        self._answer = answer
        self._size = size
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many items wait for the next batch."""
        return len(self._waiting)

    async def submit(self, item: T) -> R:
        """Return an item's result; raise BusyProblem if too many wait.

        An item whose caller is cancelled while it waits is left out.
        """
        if len(self._waiting) >= self._max_waiting:
            raise BusyProblem
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        entry = (item, future)
        self._waiting.append(entry)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        try:
            return await future
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            raise

    async def close(self) -> None:
        """Wait until all items are answered."""
        if self._worker is not None:
            await self._worker

    async def _work(self) -> None:
        try:
            while self._waiting:
                count = min(self._size, len(self._waiting))
                await self._answer_batch([self._waiting.popleft() for _ in range(count)])
        finally:
            self._worker = None

    async def _answer_batch(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        results: Sequence[R | Exception]
        try:
            results = await self._answer([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - each caller gets it
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller is gone
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
