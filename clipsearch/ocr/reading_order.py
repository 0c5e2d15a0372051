"""The order in which people read the lines of an image."""

from collections.abc import Sequence

import numpy as np

from clipsearch.ocr.line_reader import ReadLine
from clipsearch.ocr.quads import Quad


def reading_order(lines: Sequence[ReadLine]) -> list[ReadLine]:
    """Sort lines: rows from the top, and within each row from where it starts.

    Lines that are turned otherwise come after each other, the direction with the most text first.
    """
    result: list[ReadLine] = []
    weights = {
        turns: sum(len(line.text) for line in lines if line.turns == turns) for turns in range(4)
    }
    for turns in sorted(weights, key=lambda turns: (-weights[turns], turns)):
        result += _rows([line for line in lines if line.turns == turns])
    return result


def _rows(lines: list[ReadLine]) -> list[ReadLine]:
    """Sort lines of one direction: those whose middles are within half a line form a row."""
    rows: list[list[ReadLine]] = []
    for line in sorted(lines, key=lambda line: _place(line)[1]):
        if rows:
            first = rows[-1][0]
            if _place(line)[1] - _place(first)[1] < min(_place(line)[2], _place(first)[2]) / 2:
                rows[-1].append(line)
                continue
        rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: _place(line)[0])]


def _place(line: ReadLine) -> tuple[float, float, float]:
    """Where a line starts along its direction, its middle across it, and its height there."""
    quad = _upright(line.quad, line.turns)
    top, bottom = float(quad[:, 1].min()), float(quad[:, 1].max())
    return float(quad[:, 0].min()), (top + bottom) / 2, bottom - top


def _upright(quad: Quad, turns: int) -> Quad:
    """The corners in the coordinates of an image that is turned back."""
    for _ in range(turns):
        quad = np.stack([quad[:, 1], -quad[:, 0]], axis=1)
    return quad
