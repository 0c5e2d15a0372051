"""The bridge from the event loop to an Index: all calls run in a few threads."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from clipsearch.index import Index
from clipsearch.query import Query
from clipsearch.web.batching import Batcher
from clipsearch.web.browse import DateOrders
from clipsearch.web.problems import BusyProblem
from clipsearch.web.query_images import QueryImages
from clipsearch.web.ranking import Ranking, rank_all
from clipsearch.web.settings import Limits
from clipsearch.web.thumbnails import Thumbnails

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""An Index reads roots, rows and model when it is opened; others may write meanwhile."""

BATCH = 32
"""Queries that are answered together."""


class Engine:
    """Runs searches, other calls of an Index, and work without one in threads.

    For one event loop. All methods raise BusyProblem if too many calls wait. A call whose request
    is cancelled is dropped, unless it runs already.
    """

    def __init__(self, open_index: Callable[[], Index], limits: Limits | None = None) -> None:
        """`open_index` returns an Index that one thread uses and closes. It is called often."""
        self.limits = limits or Limits()
        self.query_images = QueryImages()
        self.date_orders = DateOrders()
        self.thumbnails = Thumbnails()
        self.archive_slots = threading.BoundedSemaphore(self.limits.archives)
        self.batches: Batcher[Query, Ranking] = Batcher(
            self._rank, size=BATCH, max_waiting=self.limits.queue
        )
        self.is_ready = False  # set once the model is loaded, or cannot be
        self.is_stopping = False  # set when the server stops: endless responses end
        self._open_index = open_index
        threads = self.limits.threads
        self._search_thread = ThreadPoolExecutor(1, "search")
        self._index_threads = ThreadPoolExecutor(threads, "index")
        self._decode_threads = ThreadPoolExecutor(threads, "decode")
        self._work_threads = ThreadPoolExecutor(threads, "work")
        self._pending = 0
        self._changed = 0.0
        self._open: dict[int, tuple[Index, float]] = {}  # by thread, with the time of opening

    @property
    def pending(self) -> int:
        """How many calls run or wait for a thread, without searches."""
        return self._pending

    def open_index(self) -> Index:
        """Return an Index of its own for one thread, which closes it."""
        return self._open_index()

    def refresh(self) -> None:
        """Let calls from now on see what was written; without this they do a second later."""
        self._changed = time.monotonic()

    async def search(self, query: Query) -> Ranking:
        """Answer one query without its thresholds, in one batch with others that wait."""
        return await self.batches.submit(query)

    async def call(self, action: Callable[[Index], T]) -> T:
        """Call a function with an open Index in a thread."""
        return await self._run(self._index_threads, lambda: action(self._index()))

    async def decode(self, action: Callable[[], T]) -> T:
        """Call a function that decodes an image, which may take seconds, in a thread."""
        return await self._run(self._decode_threads, action)

    async def run(self, action: Callable[[], T]) -> T:
        """Call a function that takes milliseconds, such as stat calls, in a thread."""
        return await self._run(self._work_threads, action)

    async def close(self) -> None:
        """Finish what runs, and close every Index."""
        await self.batches.close()
        pools = self._search_thread, self._index_threads, self._decode_threads, self._work_threads

        def finish() -> None:
            for pool in pools:
                pool.shutdown(wait=True, cancel_futures=True)
            for index, _ in self._open.values():
                index.close()
            self._open.clear()

        await asyncio.get_running_loop().run_in_executor(None, finish)

    async def _run(self, pool: ThreadPoolExecutor, action: Callable[[], T]) -> T:
        if self._pending >= self.limits.queue:
            raise BusyProblem
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, action)
        finally:
            self._pending -= 1

    async def _rank(self, queries: Sequence[Query]) -> Sequence[Ranking | Exception]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._search_thread, lambda: rank_all(queries, self._index())
        )

    def _index(self) -> Index:
        """Return this thread's Index, opened within the last FRESH_SECONDS."""
        thread, now = threading.get_ident(), time.monotonic()
        if thread in self._open:
            index, opened = self._open[thread]
            if now - opened < FRESH_SECONDS and opened > self._changed:
                return index
            del self._open[thread]
            index.close()
        index = self._open_index()
        self._open[thread] = index, now
        return index
