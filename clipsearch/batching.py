"""Split a stream into batches."""

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
    """Yield lists in order; each ends with the item at which its total weight reaches `size`.

    By default every item weighs 1. `first` is the size of the first list, if it differs. Reads at
    most one list ahead.
    """
    batch: list[T] = []
    remaining = first or size
    for item in items:
        batch.append(item)
        remaining -= weigh(item)
        if remaining <= 0:
            yield batch
            batch, remaining = [], size
    if batch:
        yield batch
