"""Test of the reading heads on held-out words, fonts and images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from clipsearch.models.pocket.query_words import letter_ids, normalize_word
from clipsearch.types import Pixels
from training.reading.dataset import LowerTower, split
from training.reading.fonts import FontSet
from training.reading.model import (
    DIM,
    ReadingImageHead,
    ReadingNetwork,
    ReadingPooling,
    WordEncoder,
)
from training.reading.synthetic_text import draw_text
from training.reading.vocabulary import Vocabulary

NARROWEST = 1 / 8  # of an image's width


@dataclass(frozen=True, slots=True)
class TypedTest:
    """n images without and with a word, resized to (n, 224, 224, 3) uint8, and the words.

    `widths` are the words' shares of the image width.
    """

    clean: Pixels
    typed: Pixels
    words: tuple[str, ...]
    widths: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """Share of words whose image is among the first 1 and 10, and the AUC of text or no text.

    `by_width` is the share at 10 for words below ¼, below ½, and above ½ of the width.
    """

    at1: float
    at10: float
    by_width: tuple[float, ...]
    presence: float

    def table(self) -> str:
        """Render as a Markdown table."""
        widths = ", ".join(f"{100 * share:.0f}" for share in self.by_width)
        rows = {
            "typed text, R@1/10 among all test images": f"{self.at1:.1%} / {self.at10:.1%}",
            "the same, R@10 (%) for words below ¼, ½ and above ½ of the width": widths,
            "text or no text, from the last component alone, AUC": f"{self.presence:.3f}",
        }
        lines = [f"| {what} | {value} |" for what, value in rows.items()]
        return "\n".join(["| measured | value |", "|---|---|", *lines])


def evaluate_reading(
    reader: ReadingNetwork,
    pooling: ReadingPooling,
    word_encoder: WordEncoder,
    tower: LowerTower,
    test: TypedTest,
) -> Score:
    """Search each word among all typed images, and separate typed from clean images."""
    head = ReadingImageHead(reader, pooling).eval().requires_grad_(requires_grad=False)
    typed_vectors, clean_vectors = _embed(head, tower, test.typed), _embed(head, tower, test.clean)
    with torch.no_grad():
        words = word_encoder.eval()(torch.from_numpy(letter_ids(test.words))).numpy()
    scores = words @ typed_vectors[:, :DIM].T
    ranks = (scores > scores.diagonal()[:, None]).sum(1)
    parts = np.digitize(test.widths, (0.25, 0.5))
    found = tuple(float((ranks[parts == part] < 10).mean()) for part in range(3))
    presence = float((typed_vectors[:, None, -1] < clean_vectors[None, :, -1]).mean())
    return Score(float((ranks < 1).mean()), float((ranks < 10).mean()), found, presence)


def _embed(head: ReadingImageHead, tower: LowerTower, pixels: Pixels) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(pixels), 50):
        second, third = split(tower(pixels[start : start + 50]))
        parts.append(head(second.float(), third.float()).numpy())
    return np.concatenate(parts)


def make_typed_test(
    images: Sequence[Path], vocabulary: Vocabulary, hands: FontSet, *, seed: int = 77
) -> TypedTest:
    """Draw a different word on each image, from an eighth to all of its width."""
    clean: list[Pixels] = []
    done: list[Pixels] = []
    words: list[str] = []
    widths: list[float] = []
    for row, path in enumerate(images):
        rng = np.random.default_rng([seed, row])
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        word = _new_word(vocabulary, rng, words)
        clean.append(_squash(image))
        image, width = _typed(image, word, hands, rng)
        done.append(_squash(image))
        words.append(normalize_word(word))
        widths.append(width)
    return TypedTest(_stack(clean), _stack(done), tuple(words), np.array(widths))


def _new_word(vocabulary: Vocabulary, rng: np.random.Generator, taken: Sequence[str]) -> str:
    while True:
        word = vocabulary.word(rng, test=True)
        letters = normalize_word(word)
        if len(letters) >= 3 and not letters.isdigit() and letters not in taken:
            return word


def _typed(
    image: Image.Image, word: str, hands: FontSet, rng: np.random.Generator
) -> tuple[Image.Image, float]:
    while True:
        pixels = np.array(image)
        share = np.exp(rng.uniform(np.log(NARROWEST), 0))
        height = min(share * image.width / (0.55 * len(word)), image.height / 2)
        placed = draw_text(pixels, [[word]], hands, rng, height=float(height))
        if placed is not None:
            return Image.fromarray(pixels), (placed.box[2] - placed.box[0]) / image.width


def _squash(image: Image.Image) -> Pixels:
    """Resize as the embedded model does."""
    size = (224, 224)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0), np.uint8)


def _stack(images: Sequence[Pixels]) -> Pixels:
    return np.stack(images).astype(np.uint8, copy=False)
