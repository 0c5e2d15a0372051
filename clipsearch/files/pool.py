"""A growing thread pool, and an ordered, bounded map through it."""

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

MIN_WAIT = 0.005  # seconds; a shorter wait is no evidence of idle cores
BUSY = 0.4  # share of the cores' time; below it the threads wait for something else than the CPU


class Pool:
    """Threads for steps that release the GIL (reading, decoding, hashing), first in, first out.

    The pool starts with one thread more than there are cores. Whenever the caller waits while the
    cores are idle, as with files on a slow disk or network, it adds a thread, up to `max_threads`.

    A ThreadPoolExecutor has one fixed size, and neither size fits (two cores, busy machine). With
    cores + 1 threads, 300 small images with a latency of 50 ms each took 5.4 s instead of 1.0 s.
    With 8 * cores + 8 threads, 48 images of 24 megapixels needed 5.9 GB of memory instead of 3.0
    GB, as each thread decodes one image and the C library keeps memory for each thread.
    """

    def __init__(self, *, threads: int | None = None, max_threads: int | None = None) -> None:
        """Start `threads` (default: cores + 1); grow to `max_threads` (default: 8 * cores + 8)."""
        self._cores = cpu.available()
        self._max_threads = max_threads or 8 * self._cores + 8
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        atexit.register(self.close)  # for a stream that is abandoned before its end
        for _ in range(threads or self._cores + 1):
            self._start_thread()

    @property
    def running(self) -> int:
        """The number of threads."""
        return len(self._threads)

    def submit(self, step: Callable[[T], R], item: T) -> Future[R]:
        """Run `step(item)` in a thread as soon as one is free."""
        future: Future[R] = Future()
        self._tasks.put(partial(_run, future, step, item))
        return future

    def result(self, future: Future[R]) -> R:
        """Wait for a step's result; add a thread if the cores were idle meanwhile."""
        if not future.done() and self.running < self._max_threads:
            wall, busy = time.monotonic(), time.process_time()
            future.exception()
            wall, busy = time.monotonic() - wall, time.process_time() - busy
            if wall > MIN_WAIT and busy < BUSY * wall * self._cores:
                self._start_thread()
        return future.result()

    def close(self) -> None:
        """Discard tasks that have not started, and wait for the others."""
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

    def _start_thread(self) -> None:
        # Python waits for non-daemon threads before it calls atexit functions, which end these.
        thread = threading.Thread(target=self._work, name="pool", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


def _run(future: Future[R], step: Callable[[T], R], item: T) -> None:
    try:
        future.set_result(step(item))
    except BaseException as error:  # noqa: BLE001 - raised again by Future.result
        future.set_exception(error)


def ordered(pool: Pool, step: Callable[[T], R], items: Iterable[T], *, ahead: int) -> Iterator[R]:
    """Yield `step(item)` for each item, in order, with at most `ahead` items in memory.

    A finished result is yielded at once, even if fewer than `ahead` items have been submitted.
    """
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(step, item))
        if len(waiting) >= ahead or waiting[0].done():
            yield pool.result(waiting.popleft())
    while waiting:
        yield pool.result(waiting.popleft())
