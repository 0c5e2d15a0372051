"""Read text with the models of rapidocr: PP-OCR of PaddleOCR (Cui et al. 2025), on OpenVINO."""

import cv2
import numpy as np
from PIL import Image

from clipsearch import cpu
from clipsearch.ocr.detection import TextDetector
from clipsearch.ocr.graph import SharedGraph
from clipsearch.ocr.image_text import ImageText, TextLine
from clipsearch.ocr.line_finder import find_lines
from clipsearch.ocr.line_reader import LineReader, ReadLine
from clipsearch.ocr.model_files import ModelFiles
from clipsearch.ocr.quads import Pixels
from clipsearch.ocr.reading_order import reading_order
from clipsearch.ocr.recognition import LineOrientation, TextRecognizer

METHOD = 1
"""Raise it whenever equal pixels and models may give another text: images are then read again."""

MAX_PIXELS = 24_000_000
"""Larger images are scaled down to so many: 400 MB of memory for each."""


class RapidReader:
    """The reader of the extra `[ocr]`, a `TextReader`; loads its graphs when it first reads."""

    def __init__(self, files: ModelFiles) -> None:
        self.name = f"{files.fingerprint()}.{METHOD}"
        self._detector = TextDetector(SharedGraph(files.detection, 4))
        self._reader = LineReader(
            TextRecognizer(SharedGraph(files.recognition, 3), files.characters),
            LineOrientation(SharedGraph(files.orientation, 2)),
        )
        cv2.setNumThreads(1)  # the calls of several threads share the cores

    @property
    def concurrency(self) -> int:
        """How many calls of `read` at once use all cores."""
        return cpu.available()

    def check(self) -> None:
        """Run every model once; raise ModelError or UsageError if one is not what it should be."""
        self._detector.probabilities(np.zeros((64, 64, 3), np.uint8))
        self._reader.check()

    def read(self, image: Image.Image) -> ImageText:
        """Return the text in an upright image; see `TextReader.read`."""
        pixels = to_pixels(image)
        lines = self._reader.read(pixels, find_lines(self._detector, pixels))
        height, width = pixels.shape[:2]
        ordered = reading_order(lines)
        return ImageText(tuple(_text_line(line, width, height) for line in ordered), self.name)


def to_pixels(image: Image.Image) -> Pixels:
    """The pixels of an image, blue first, at most MAX_PIXELS."""
    scale = (MAX_PIXELS / (image.width * image.height)) ** 0.5
    if scale < 1:
        size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
        image = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)
    cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR, dst=pixels)  # in place: it may have 72 MB
    return pixels


def _text_line(line: ReadLine, width: int, height: int) -> TextLine:
    fractions = np.clip(line.quad / np.array([width, height], np.float32), 0, 1)
    x1, y1, x2, y2, x3, y3, x4, y4 = (round(float(value), 5) for value in fractions.ravel())
    return TextLine(line.text, (x1, y1, x2, y2, x3, y3, x4, y4), round(line.confidence, 4))
