"""Which texts to run together: padding is wasted work, and so is every further run."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

RUN_COST = 128
"""What one more run costs, in tokens: between what it does in float32 and in bfloat16, on CLIP's tower."""


def length_buckets(lengths: Sequence[int]) -> Iterator[tuple[list[int], int]]:
    """Split texts of so many tokens into groups: (their positions, the length to pad them to).

    The cheapest split of the sorted lengths, where a group costs its padded tokens and A_RUN.
    """
    distinct = sorted({max(length, 1) for length in lengths})
    rows: dict[int, list[int]] = {length: [] for length in distinct}
    for position, length in enumerate(lengths):
        rows[max(length, 1)].append(position)
    upto = [0, *accumulate(len(rows[length]) for length in distinct)]
    # best[i] is the cost of the i shortest lengths, cut[i] where their last group begins.
    best, cut = [0.0], [0]
    for end, length in enumerate(distinct, start=1):
        cost, start = min(
            (best[start] + (upto[end] - upto[start]) * length + RUN_COST, start)
            for start in range(end)
        )
        best.append(cost)
        cut.append(start)
    end = len(distinct)
    while end:
        start = cut[end]
        group = [position for length in distinct[start:end] for position in rows[length]]
        yield group, distinct[end - 1]
        end = start
