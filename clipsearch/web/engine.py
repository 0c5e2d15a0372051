"""The bridge from the event loop to an Index: all calls run in a few threads."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from clipsearch.errors import StoreError
from clipsearch.index import Index
from clipsearch.query import Query
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.web.batching import Batcher
from clipsearch.web.browse import DateOrders
from clipsearch.web.problems import BusyProblem
from clipsearch.web.query_images import QueryImages
from clipsearch.web.ranking import Ranking, rank_all, reads_all_rows
from clipsearch.web.settings import Limits
from clipsearch.web.thumbnails import Thumbnails

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""How long an Index is used until it is checked whether others have written meanwhile."""

REOPEN_SECONDS = 60.0
"""How long it is used if nothing seems to have changed: images may have been replaced."""

BATCH = 32
"""Queries that are answered together."""


class Engine:
    """Runs searches, other calls of an Index, and work without one in threads.

    For one event loop. All methods raise BusyProblem if too many calls wait. A call whose request
    is cancelled is dropped, unless it runs already.
    """

    def __init__(
        self,
        open_index: Callable[[], Index],
        limits: Limits | None = None,
        *,
        encoder_batches: Callable[[], Mapping[tuple[str, int], int]] = dict,
    ) -> None:
        """`open_index` returns an Index that one thread uses and closes. It is called often.

        `encoder_batches` returns how often the model was called with how many texts or images.
        """
        self.encoder_batches = encoder_batches
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
        self._open: dict[int, _OpenIndex] = {}  # by thread

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
        """Answer one query without its thresholds, in one batch with others that wait.

        One that may have to read all rows runs beside the batches, which would wait for it.
        """
        if not reads_all_rows(query):
            return await self.batches.submit(query)
        ranking = await self.call(lambda index: rank_all([query], index)[0])
        if isinstance(ranking, Exception):
            raise ranking
        return ranking

    async def call(self, action: Callable[[Index], T]) -> T:
        """Call a function with an open Index in a thread."""
        return await self._run(self._index_threads, lambda: self._call(action))

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
            for held in self._open.values():
                held.index.close()
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

    def _call(self, action: Callable[[Index], T]) -> T:
        """Call a function with this thread's Index; again if a reindex dropped its collection."""
        index = self._index()
        try:
            return action(index)
        except StoreError:
            if not index.refresh(now=True):
                raise
            return action(index)

    async def _rank(self, queries: Sequence[Query]) -> Sequence[Ranking | Exception]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._search_thread, lambda: rank_all(queries, self._index())
        )

    def _index(self) -> Index:
        """Return this thread's Index; a new one if the collection has changed."""
        thread = threading.get_ident()
        held = self._open.pop(thread, None)
        if held is not None and not held.is_current(self._changed):
            held.index.close()
            held = None
        held = held or _OpenIndex(self._open_index())
        self._open[thread] = held
        return held.index


class _OpenIndex:
    """An Index, and the state of its collection when it was opened.

    It keeps vectors for z-scores, so it should stay open while the collection stays the same.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._opened = self._checked = time.monotonic()
        self._state = self._read_state()

    def is_current(self, changed: float) -> bool:
        """Tell whether the collection is as it was; look if that was before it `changed`."""
        now = time.monotonic()
        if now - self._opened > REOPEN_SECONDS:
            return False
        if now - self._checked <= FRESH_SECONDS and self._checked > changed:
            return True
        self._checked = now
        try:
            return self._state == self._read_state()
        except StoreError:  # opening it anew says what is wrong
            return False

    def _read_state(self) -> tuple[CollectionInfo, int] | None:
        collection = self.index.store.find(self.index.name)
        return None if collection is None else (collection.info, collection.count())
