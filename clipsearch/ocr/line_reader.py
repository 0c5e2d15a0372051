"""Read the lines that were found in an image, whichever way they are turned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.ocr.detection import DetectedLine
from clipsearch.ocr.quads import Pixels, Quad, cut_strip, size_of, trim, turn
from clipsearch.ocr.recognition import STRIP_HEIGHT, LineOrientation, TextRecognizer

MIN_CONFIDENCE = 0.5  # of a line that is kept: below it, most are patterns that are not text
MIN_SINGLE = 0.9  # the same for a line of one character: edges and windows look like 1, l and 口
SURE = 0.9  # a line that is recognized so well is not tried upside down
# The network takes a step of 8 pixels of a strip. In narrow type of 12 pixels, letters are narrower
# and get lost (recall 0.81); less margin and wider letters mend most of that (0.88).
TRIM = 0.07
STRETCH = 1.1
ELONGATED = 1.5  # a line with such a ratio of its sides shows along which one it runs


@dataclass(frozen=True, slots=True, eq=False)
class ReadLine:
    """A line with its text; the first corner is where the text starts, `turns` those of `turn`."""

    quad: Quad
    text: str
    confidence: float
    turns: int


class LineReader:
    """Recognizes lines in all four directions; thread-safe."""

    def __init__(self, recognize: TextRecognizer, upside_down: LineOrientation) -> None:
        self._recognize = recognize
        self._upside_down = upside_down

    def check(self) -> None:
        """Run both models on an empty strip; they raise what is wrong with their files."""
        strip = np.zeros((STRIP_HEIGHT, 2 * STRIP_HEIGHT, 3), np.uint8)
        self._recognize(strip)
        self._upside_down(strip)

    def read(self, pixels: Pixels, lines: Sequence[DetectedLine]) -> list[ReadLine]:
        """Recognize lines; those that are not text are left out."""
        quads = [line.quad for line in lines]
        ratios = [size_of(quad)[0] / max(size_of(quad)[1], 1.0) for quad in quads]
        # A short word may be as high as it is wide. It runs as the other lines do.
        down = sum(ratio <= 1 / ELONGATED for ratio in ratios)
        across = sum(ratio >= ELONGATED for ratio in ratios)
        limit = ELONGATED if down > across else 1 / ELONGATED
        vertical = [ratio <= limit for ratio in ratios]
        read: list[ReadLine] = []
        for axis in (False, True):
            group = [quad for quad, runs in zip(quads, vertical, strict=True) if runs == axis]
            read += self._read_parallel(pixels, group, int(axis))
        return [line for line in read if _is_text(line)]

    def _read_parallel(self, pixels: Pixels, quads: Sequence[Quad], turns: int) -> list[ReadLine]:
        """Recognize lines that run in one direction or the opposite one: all of them vote."""
        if not quads:
            return []
        strips = [
            cut_strip(pixels, trim(turn(quad, turns), TRIM), STRIP_HEIGHT, STRETCH)
            for quad in quads
        ]
        votes = sum((self._upside_down(strip) - 0.5) * strip.shape[1] for strip in strips)
        usual = turns + 2 * (votes > 0)
        lines: list[ReadLine] = []
        for quad, strip in zip(quads, strips, strict=True):
            best = self._line(quad, strip, turns, usual)
            if best.confidence < SURE:
                other = self._line(quad, strip, turns, usual ^ 2)
                best = max(best, other, key=lambda line: line.confidence)
            lines.append(best)
        return lines

    def _line(self, quad: Quad, strip: Pixels, cut: int, turns: int) -> ReadLine:
        """Recognize a strip that was cut at some turns, at other ones of the same axis."""
        pixels = strip if cut == turns else strip[::-1, ::-1]
        text, confidence = self._recognize(pixels)
        return ReadLine(turn(quad, turns), text, confidence, turns)


def _is_text(line: ReadLine) -> bool:
    length = len(line.text.strip())
    return length > 0 and line.confidence >= (MIN_CONFIDENCE if length > 1 else MIN_SINGLE)
