"""The bridge from the event loop to an Index: all calls run in a few threads."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from clipsearch.index import Index
from clipsearch.query import Query
from clipsearch.query.response import SearchResponse
from clipsearch.query.search import respond
from clipsearch.web.problems import BusyProblem
from clipsearch.web.settings import Limits

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""An Index reads roots, rows and model when it is opened; others may write meanwhile."""


class Engine:
    """Runs calls of an Index, searches and other work in threads. For one event loop."""

    def __init__(self, open_index: Callable[[], Index], limits: Limits | None = None) -> None:
        """`open_index` returns an Index that one thread uses and closes. It is called often."""
        self.limits = limits or Limits()
        self._open_index = open_index
        self._index_threads = ThreadPoolExecutor(self.limits.threads, "index")
        self._work_threads = ThreadPoolExecutor(self.limits.threads, "work")
        self._pending = 0
        self._open: dict[int, tuple[Index, float]] = {}  # by thread, with the time of opening

    @property
    def pending(self) -> int:
        """How many calls run or wait for a thread."""
        return self._pending

    async def search(self, query: Query) -> SearchResponse:
        """Answer one query."""
        return await self.call(lambda index: respond(query, index.load, index.collection))

    async def call(self, action: Callable[[Index], T]) -> T:
        """Call a function with an open Index in a thread; raise BusyProblem if too many wait."""
        return await self._run(self._index_threads, lambda: action(self._index()))

    async def run(self, action: Callable[[], T]) -> T:
        """Call a function that needs no Index, such as decoding, in a thread; raise likewise."""
        return await self._run(self._work_threads, action)

    async def close(self) -> None:
        """Finish the calls that run, and close every Index."""
        for pool in (self._index_threads, self._work_threads):
            close = partial(pool.shutdown, wait=True, cancel_futures=True)
            await asyncio.get_running_loop().run_in_executor(None, close)
        for index, _ in self._open.values():
            index.close()
        self._open.clear()

    async def _run(self, pool: ThreadPoolExecutor, action: Callable[[], T]) -> T:
        if self._pending >= self.limits.queue:
            raise BusyProblem
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, action)
        finally:
            self._pending -= 1

    def _index(self) -> Index:
        """Return this thread's Index, opened within the last FRESH_SECONDS."""
        thread, now = threading.get_ident(), time.monotonic()
        if thread in self._open:
            index, opened = self._open[thread]
            if now - opened < FRESH_SECONDS:
                return index
            del self._open[thread]
            index.close()
        index = self._open_index()
        self._open[thread] = index, now
        return index
