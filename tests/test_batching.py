"""Splitting a stream into batches."""

from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from clipsearch.batching import batches


@given(st.lists(st.integers(0, 9)), st.integers(1, 20), st.integers(1, 20) | st.none())
def test_every_item_is_in_one_batch_of_limited_weight(
    items: list[int], size: int, first: int | None
) -> None:
    found = list(batches(items, size, first=first, weigh=lambda item: item))
    assert [item for batch in found for item in batch] == items
    for place, batch in enumerate(found):
        limit = first or size if place == 0 else size
        assert sum(batch[:-1]) < limit
        assert batch
        assert sum(batch) >= limit or place == len(found) - 1


def test_items_without_weights_are_counted() -> None:
    assert list(batches("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(batches("abcde", 2, first=1)) == [["a"], ["b", "c"], ["d", "e"]]
    assert list(batches("", 2, first=1)) == []


def test_at_most_one_batch_is_read_ahead() -> None:
    numbers = count()
    assert list(islice(batches(numbers, 3), 2)) == [[0, 1, 2], [3, 4, 5]]
    assert next(numbers) == 6
