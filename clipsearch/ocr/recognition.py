"""Recognize the text of strips, one line each: a network with connectionist classification."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from clipsearch.errors import UsageError
from clipsearch.ocr.graph import SharedGraph
from clipsearch.ocr.quads import Pixels

STRIP_HEIGHT = 48
MIN_WIDTH = 64  # of the network's input; narrower strips get a margin at the right
WIDTH_STEP = 32
BLANK = 0  # the class of "no further character"


class TextRecognizer:
    """Recognizes lines of text; thread-safe."""

    def __init__(self, graph: SharedGraph, characters: Path | None = None) -> None:
        self._graph = graph
        self._characters = characters
        self._alphabet: Sequence[str] = ()

    def __call__(self, strip: Pixels) -> tuple[str, float]:
        """Return the text of a strip of STRIP_HEIGHT, and the mean probability of its characters.

        Raises UsageError if it is not known which characters the classes of the model stand for.
        """
        width = max(MIN_WIDTH, -(-strip.shape[1] // WIDTH_STEP) * WIDTH_STEP)
        batch = np.zeros((1, 3, STRIP_HEIGHT, width), np.float32)
        batch[0, :, :, : strip.shape[1]] = strip.transpose(2, 0, 1) / np.float32(127.5) - 1
        scores = self._graph(batch)[0]  # (steps, classes)
        alphabet = self._load_alphabet(scores.shape[1])
        best = scores.argmax(axis=1)
        starts = (best != BLANK) & np.append(True, best[1:] != best[:-1])
        if not starts.any():
            return "", 0.0
        text = "".join(alphabet[index] for index in best[starts])
        return text, float(scores.max(axis=1)[starts].mean())

    def _load_alphabet(self, classes: int) -> Sequence[str]:
        """The character of each class; the first one is BLANK."""
        if self._alphabet:
            return self._alphabet
        if self._characters is None:
            known = self._graph.characters()
        else:
            known = _read_characters(self._characters)
        alphabet = ("", *known, " ")[:classes]  # some models have no class for the space
        if len(alphabet) < classes or len(known) >= classes:
            raise UsageError(
                f"the recognition model has {classes:,} classes, but {len(known):,} characters are "
                "known: put the list that belongs to it, a .txt file, into its folder"
            )
        self._alphabet = alphabet
        return alphabet


def _read_characters(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8-sig").rstrip("\n").split("\n"))
    except UnicodeDecodeError as error:
        raise UsageError(f"the list of characters {path} is not in UTF-8: {error}") from error


class LineOrientation:
    """Tells whether the text of a strip is upside down; thread-safe."""

    WIDTH = 192

    def __init__(self, graph: SharedGraph) -> None:
        self._graph = graph

    def __call__(self, strip: Pixels) -> float:
        """The probability, 0..1, that a strip of STRIP_HEIGHT is upside down."""
        width = min(strip.shape[1], self.WIDTH)
        resized = cv2.resize(strip, (width, STRIP_HEIGHT))
        batch = np.zeros((1, 3, STRIP_HEIGHT, self.WIDTH), np.float32)
        batch[0, :, :, :width] = resized.transpose(2, 0, 1) / np.float32(127.5) - 1
        return float(self._graph(batch)[0, 1])
