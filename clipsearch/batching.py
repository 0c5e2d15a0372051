"""Cutting a stream into lists."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(
    items: Iterable[T],
    size: int,
    *,
    first: int | None = None,
    weigh: Callable[[T], int] = lambda _: 1,
) -> Iterator[list[T]]:
    """Lists in order, each ended by the item with which their weights reach `size`.

    With nothing to weigh them that is how many there are. The first list may have a size of its own.
    Reads no further ahead than one list.
    """
    batch: list[T] = []
    room = first or size
    for item in items:
        batch.append(item)
        room -= weigh(item)
        if room <= 0:
            yield batch
            batch, room = [], size
    if batch:
        yield batch
