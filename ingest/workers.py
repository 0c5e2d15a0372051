"""A stream through a pool of threads, in order, never more than a few items ahead."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Self, TypeVar

from clipsearch import cores

T = TypeVar("T")
R = TypeVar("R")

A_WAIT = 0.005  # seconds: a shorter one says nothing
BUSY = 0.4  # share of the cores' time: less means that threads wait for something else


class Pool:
    """Threads that read, decode and hash, all of which releases the GIL.

    It begins with one more than there are cores. Files from a slow disk or network keep threads
    waiting and cores idle: each time that this is seen, one more thread may run, up to `most`.
    """

    def __init__(self, *, threads: int | None = None, most: int | None = None) -> None:
        self._cores = cores.available()
        self.running = threads or self._cores + 1
        self._most = most or 8 * self._cores + 8
        self._permits = threading.Semaphore(self.running)
        self._tasks: deque[Callable[[], None]] = deque()
        self._threads = ThreadPoolExecutor(max_workers=self._most, thread_name_prefix="ingest")

    def submit(self, step: Callable[[T], R], item: T) -> Future[R]:
        """Run a step as soon as a thread may; the first come is the first served."""
        future: Future[R] = Future()
        self._tasks.append(partial(_settle, future, step, item))
        self._threads.submit(self._run)
        return future

    def result(self, future: Future[R]) -> R:
        """Wait for a step's result, and notice if the cores idled meanwhile."""
        if not future.done() and self.running < self._most:
            wall, busy = time.monotonic(), time.process_time()
            future.exception()
            wall, busy = time.monotonic() - wall, time.process_time() - busy
            if wall > A_WAIT and busy < BUSY * wall * self._cores:
                self.running += 1
                self._permits.release()
        return future.result()

    def close(self) -> None:
        """Drop what has not begun, and wait for the rest."""
        self._tasks.clear()
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        with self._permits, suppress(IndexError):  # the pool may be closed
            self._tasks.popleft()()


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
