"""Work that takes long: one call at a time in a thread of its own, with results that are kept."""

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from clipsearch.index import Index
from clipsearch.web.engine import Engine
from clipsearch.web.problems import BusyProblem

T = TypeVar("T")

MAX_CALLS = 8
"""Calls that run or wait; more are refused."""

CLOSE_SECONDS = 2.0

SERVER_SECONDS = 60
"""How long results of a Milvus server are kept, which does not tell whether it has changed."""

REST = 10
"""A result is kept for this many times as long as its computation took, even if it is outdated.

So a collection that changes all the time, as during an ingest, costs a tenth of one processor.
"""


@dataclass
class _Cached:
    state: Hashable
    task: asyncio.Task[Any]
    expires: float = 0.0


class Computations:
    """Runs slow calls of an Index one after the other. For one event loop."""

    def __init__(self, engine: Engine) -> None:
        """Open an Index for each call as the engine does."""
        self._engine = engine
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[Index], Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._calls = 0
        self._is_closing = False
        self._cached: dict[str, _Cached] = {}

    @property
    def calls(self) -> int:
        """How many calls run or wait."""
        return self._calls

    async def call(self, action: Callable[[Index], T]) -> T:
        """Call a function with an open Index; raise BusyProblem if too many calls wait."""
        if self._calls >= MAX_CALLS:
            raise BusyProblem
        if self._thread is None:
            # A daemon thread: comparing the images of a large collection must not delay the exit.
            self._thread = threading.Thread(target=self._work, name="computations", daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        self._queue.put((future, action))
        self._calls += 1
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._calls -= 1

    async def cached(self, name: str, action: Callable[[Index], T]) -> asyncio.Task[T]:
        """Return the computation of a result for the present state of the collection.

        It may have finished, also with an error. A client that no longer waits does not stop it.
        """
        cached = self._cached.get(name)
        if cached is not None and (not cached.task.done() or time.monotonic() < cached.expires):
            return cached.task
        state = await self._engine.call(collection_state)
        cached = self._cached.get(name)  # another request may have come here first
        if cached is not None and (not cached.task.done() or cached.state == state):
            return cached.task
        task = asyncio.create_task(self.call(action))
        self._cached[name] = new = _Cached(state, task)
        started = time.monotonic()

        def finish(task: asyncio.Task[T]) -> None:
            if (task.cancelled() or task.exception()) and self._cached.get(name) is new:
                del self._cached[name]
            new.expires = time.monotonic() + REST * (time.monotonic() - started)

        task.add_done_callback(finish)
        return task

    async def close(self) -> None:
        """Start no further call, and give the one that runs a moment to end."""
        if self._thread is not None:
            self._is_closing = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            future, action = item
            if self._is_closing or not future.set_running_or_notify_cancel():
                future.cancel()
                continue
            try:
                with self._engine.open_index() as index:
                    result = action(index)
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                future.set_exception(error)
            else:
                future.set_result(result)


def collection_state(index: Index) -> Hashable:
    """Return a value that differs after every change of the collection."""
    path = index.store.backend.path
    collection = index.find_collection()
    if path is None or collection is None:
        count = 0 if collection is None else collection.estimate_count()
        return count, int(time.monotonic() / SERVER_SECONDS)
    status = path.stat()
    return index.name, status.st_mtime_ns, status.st_size
