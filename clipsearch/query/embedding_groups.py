"""Groups of similar embeddings, without a look at the pixels."""

import numpy as np

from clipsearch.files.progress import Progress
from clipsearch.query.close_vectors import BLOCK_ROWS, LATER_ROWS, TOLERANCE, CloseVectors, blocks
from clipsearch.query.vector_file import Rows


def nearest_leaders(
    vectors: CloseVectors, threshold: float, progress: Progress | None = None
) -> Rows:
    """The leader of each of n vectors, as a row number, (n,).

    Rows are visited in order. A row without a group founds one, as its leader, and takes all
    later rows without a group whose cosine is at least `threshold`.
    """
    count = len(vectors)
    leaders = np.full(count, -1, dtype=np.intp)
    limit = threshold - TOLERANCE
    for block in blocks(count, BLOCK_ROWS):
        free = block[leaders[block] < 0]
        close = np.zeros((len(free), len(free)), dtype=np.bool_)
        first, second, _ = vectors.pairs(free, free, limit)
        close[first, second] = True
        for row, near in zip(map(int, free), close, strict=True):
            if leaders[row] < 0:
                leaders[row] = row
                leaders[free[near & (leaders[free] < 0)]] = row
        founders = free[leaders[free] == free]
        for later in blocks(count, LATER_ROWS, int(block[-1]) + 1):
            rest = later[leaders[later] < 0]
            first, second, _ = vectors.pairs(founders, rest, limit)
            # Of several founders the first one counts: it is assigned last.
            leaders[rest[second[::-1]]] = founders[first[::-1]]
        if progress is not None:
            progress.update(len(block))
    return leaders
