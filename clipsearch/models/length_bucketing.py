"""Group texts by length for batches: fewer padding tokens at the cost of more batches."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

RUN_COST = 128
"""The cost of one more run, in tokens: between the costs that were measured for CLIP's text tower
in float32 and in bfloat16."""


def length_buckets(lengths: Sequence[int]) -> Iterator[tuple[list[int], int]]:
    """Split texts of these token counts into groups: (their indices, the padded length).

    Finds the split of the sorted lengths with the lowest cost. A group costs its padded tokens plus
    RUN_COST.
    """
    distinct = sorted({max(length, 1) for length in lengths})
    by_length: dict[int, list[int]] = {length: [] for length in distinct}
    for index, length in enumerate(lengths):
        by_length[max(length, 1)].append(index)
    counts = [0, *accumulate(len(by_length[length]) for length in distinct)]
    # costs[i] is the cost of the i shortest lengths, starts[i] the start of their last group.
    costs, starts = [0.0], [0]
    for end, length in enumerate(distinct, start=1):
        cost, start = min(
            (costs[start] + (counts[end] - counts[start]) * length + RUN_COST, start)
            for start in range(end)
        )
        costs.append(cost)
        starts.append(start)
    end = len(distinct)
    while end:
        start = starts[end]
        group = [index for length in distinct[start:end] for index in by_length[length]]
        yield group, distinct[end - 1]
        end = start
