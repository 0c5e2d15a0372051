"""Groups of similar embeddings, without a look at the pixels."""

import numpy as np
from numpy.typing import NDArray

from clipsearch.types import Vectors

BLOCK_ROWS = 2048  # rows per matrix product: 2,048 × 2,048 cosines are 16 MB
TOLERANCE = 1e-5  # float32 rows of equal direction have cosines a little below 1


def nearest_leaders(vectors: Vectors, threshold: float) -> NDArray[np.intp]:
    """The leader of each row of (n, d), as a row number, (n,).

    Rows are visited in order. A row without a group founds one, as its leader, and takes all
    later rows without a group whose cosine is at least `threshold`.
    """
    count = len(vectors)
    leaders = np.full(count, -1, dtype=np.intp)
    limit = threshold - TOLERANCE
    for start in range(0, count, BLOCK_ROWS):
        block = np.arange(start, min(start + BLOCK_ROWS, count))
        block = block[leaders[block] < 0]
        rows = vectors[block]
        scores = rows @ rows.T
        for i, row in enumerate(map(int, block)):
            if leaders[row] < 0:
                leaders[row] = row
                leaders[block[(scores[i] >= limit) & (leaders[block] < 0)]] = row
        founders = leaders[block] == block
        if not founders.any():
            continue
        for later_start in range(start + BLOCK_ROWS, count, BLOCK_ROWS):
            later = np.arange(later_start, min(later_start + BLOCK_ROWS, count))
            later = later[leaders[later] < 0]
            close = rows[founders] @ vectors[later].T >= limit
            columns = np.flatnonzero(close.any(axis=0))
            first = close[:, columns].argmax(axis=0)
            leaders[later[columns]] = block[founders][first]
    return leaders
