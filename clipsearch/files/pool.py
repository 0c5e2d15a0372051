"""A stream through a pool of threads, in order, never more than a few items ahead."""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Self, TypeVar

from clipsearch import cpu

T = TypeVar("T")
R = TypeVar("R")

A_WAIT = 0.005  # seconds: a shorter one says nothing
BUSY = 0.4  # share of the cores' time: less means that threads wait for something else


class Pool:
    """Threads that read, decode and hash, all of which releases the GIL; first come, first served.

    It begins with one more than there are cores. Files from a slow disk or network keep threads
    waiting and cores idle: each time that this is seen, one more thread starts, up to `most`. None
    starts before: the C library keeps memory for each thread that ever decoded a picture.
    """

    def __init__(self, *, threads: int | None = None, most: int | None = None) -> None:
        self._cores = cpu.available()
        self._most = most or 8 * self._cores + 8
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        atexit.register(self.close)  # of a stream that nobody read to its end
        for _ in range(threads or self._cores + 1):
            self._start_one()

    @property
    def running(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    def submit(self, step: Callable[[T], R], item: T) -> Future[R]:
        """Run a step as soon as a thread may."""
        future: Future[R] = Future()
        self._tasks.put(partial(_settle, future, step, item))
        return future

    def result(self, future: Future[R]) -> R:
        """Wait for a step's result, and notice if the cores idled meanwhile."""
        if not future.done() and self.running < self._most:
            wall, busy = time.monotonic(), time.process_time()
            future.exception()
            wall, busy = time.monotonic() - wall, time.process_time() - busy
            if wall > A_WAIT and busy < BUSY * wall * self._cores:
                self._start_one()
        return future.result()

    def close(self) -> None:
        """Drop what has not begun, and wait for the rest."""
        with suppress(Empty):
            while True:
                self._tasks.get_nowait()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_one(self) -> None:
        # Were it no daemon, Python would wait for it before it calls what is registered for the end.
        thread = threading.Thread(target=self._work, name="ingest", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


def _settle(future: Future[R], step: Callable[[T], R], item: T) -> None:
    try:
        future.set_result(step(item))
    except BaseException as error:  # noqa: BLE001 - for whoever asks for the result
        future.set_exception(error)


def ordered(pool: Pool, step: Callable[[T], R], items: Iterable[T], *, ahead: int) -> Iterator[R]:
    """`step` of each item, in order; at most `ahead` results wait, so that memory stays bounded.

    A result that is there is not kept back: the first ones come while the others are on their way.
    """
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(step, item))
        if len(waiting) >= ahead or waiting[0].done():
            yield pool.result(waiting.popleft())
    while waiting:
        yield pool.result(waiting.popleft())
