"""The test of reading: a word on each of many photographs; words, hands and photos are new to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from clipsearch.models.pocket.query import letter_ids, normalize_word
from clipsearch.types import Pixels
from training.reading.dataset import Taps, split
from training.reading.fonts import Hands
from training.reading.model import DIM, Reader, ReadingSide, Speller, Summary
from training.reading.synthetic_text import write
from training.reading.vocabulary import Vocabulary

NARROWEST = 1 / 8  # of a picture's width


@dataclass(frozen=True, slots=True)
class Typed:
    """n photographs without and with a word, squashed to (n, 224, 224, 3) uint8; their words.

    `widths` are the words' shares of the picture's width.
    """

    clean: Pixels
    typed: Pixels
    words: tuple[str, ...]
    widths: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """Share of words whose picture is among the first 1 and 10, and the AUC of text or no text.

    `by_width`: the first 10 for words below a quarter, a half, and above half of the width.
    """

    at1: float
    at10: float
    by_width: tuple[float, ...]
    presence: float

    def table(self) -> str:
        """Render as a Markdown table."""
        widths = ", ".join(f"{100 * share:.0f}" for share in self.by_width)
        rows = {
            "typed text, R@1/10 among all test pictures": f"{self.at1:.1%} / {self.at10:.1%}",
            "the same, R@10 (%) for words below ¼, ½ and above ½ of the width": widths,
            "text or no text, the last number alone, AUC": f"{self.presence:.3f}",
        }
        lines = [f"| {what} | {value} |" for what, value in rows.items()]
        return "\n".join(["| measured | value |", "|---|---|", *lines])


def measure(reader: Reader, summary: Summary, speller: Speller, taps: Taps, test: Typed) -> Score:
    """Look for each word among all typed pictures, and tell typed from clean ones."""
    side = ReadingSide(reader, summary).eval().requires_grad_(requires_grad=False)
    seen, plain_ones = _read(side, taps, test.typed), _read(side, taps, test.clean)
    with torch.no_grad():
        words = speller.eval()(torch.from_numpy(letter_ids(test.words))).numpy()
    scores = words @ seen[:, :DIM].T
    ranks = (scores > scores.diagonal()[:, None]).sum(1)
    parts = np.digitize(test.widths, (0.25, 0.5))
    found = tuple(float((ranks[parts == part] < 10).mean()) for part in range(3))
    presence = float((seen[:, None, -1] < plain_ones[None, :, -1]).mean())
    return Score(float((ranks < 1).mean()), float((ranks < 10).mean()), found, presence)


def _read(side: ReadingSide, taps: Taps, pixels: Pixels) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(pixels), 50):
        second, third = split(taps(pixels[start : start + 50]))
        parts.append(side(second.float(), third.float()).numpy())
    return np.concatenate(parts)


def typed(photos: Sequence[Path], vocabulary: Vocabulary, hands: Hands, *, seed: int = 77) -> Typed:
    """Write a word that no other photograph has on each, from an eighth to all of its width."""
    clean: list[Pixels] = []
    done: list[Pixels] = []
    words: list[str] = []
    widths: list[float] = []
    for row, path in enumerate(photos):
        rng = np.random.default_rng([seed, row])
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        word = _new_word(vocabulary, rng, words)
        clean.append(_squash(photo))
        picture, width = _typed(photo, word, hands, rng)
        done.append(_squash(picture))
        words.append(normalize_word(word))
        widths.append(width)
    return Typed(_stack(clean), _stack(done), tuple(words), np.array(widths))


def _new_word(vocabulary: Vocabulary, rng: np.random.Generator, taken: Sequence[str]) -> str:
    while True:
        word = vocabulary.word(rng, test=True)
        letters = normalize_word(word)
        if len(letters) >= 3 and not letters.isdigit() and letters not in taken:
            return word


def _typed(
    photo: Image.Image, word: str, hands: Hands, rng: np.random.Generator
) -> tuple[Image.Image, float]:
    while True:
        pixels = np.array(photo)
        share = np.exp(rng.uniform(np.log(NARROWEST), 0))
        height = min(share * photo.width / (0.55 * len(word)), photo.height / 2)
        placed = write(pixels, [[word]], hands, rng, height=float(height))
        if placed is not None:
            return Image.fromarray(pixels), (placed.box[2] - placed.box[0]) / photo.width


def _squash(photo: Image.Image) -> Pixels:
    """Scale as the embedded model's view of the whole picture does."""
    size = (224, 224)
    return np.asarray(photo.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0), np.uint8)


def _stack(pictures: Sequence[Pixels]) -> Pixels:
    return np.stack(pictures).astype(np.uint8, copy=False)
