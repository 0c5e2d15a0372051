"""A stream through a pool of threads, in order, never more than a few items ahead."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def pool() -> ThreadPoolExecutor:
    """As many threads as this process may use cores: decoding and hashing release the GIL."""
    return ThreadPoolExecutor(max_workers=_cores() + 1, thread_name_prefix="ingest")


def ordered(
    executor: ThreadPoolExecutor, step: Callable[[T], R], items: Iterable[T], *, ahead: int
) -> Iterator[R]:
    """`step` of each item, in order; at most `ahead` results wait, so that memory stays bounded."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(executor.submit(step, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
