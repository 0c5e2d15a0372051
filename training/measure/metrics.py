"""Retrieval and classification metrics on held-out images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Recall:
    """Percent of queries with a right answer among the first 1, 5 and 10 results."""

    at1: float
    at5: float
    at10: float

    def __str__(self) -> str:
        return f"{self.at1:.1f} / {self.at5:.1f} / {self.at10:.1f}"


def _recall(ranks: NDArray[np.integer]) -> Recall:
    return Recall(*(100 * float((ranks < k).mean()) for k in (1, 5, 10)))


def text_to_image(texts: Matrix, images: Matrix, owner: NDArray[np.integer]) -> Recall:
    """Recall of caption queries (n, d) against images (m, d); `owner` (n,) holds the right rows.

    Rows have length 1. Images without a caption are distractors.
    """
    scores = texts @ images.T
    own = scores[np.arange(len(texts)), owner]
    return _recall((scores > own[:, None]).sum(1))


def image_to_text(texts: Matrix, images: Matrix, owner: NDArray[np.integer]) -> Recall:
    """Recall of image queries against the captions; any caption of the image counts."""
    scores = images[: owner.max() + 1] @ texts.T
    mine = owner[None, :] == np.arange(len(scores))[:, None]
    best = np.where(mine, scores, -np.inf).max(1)
    return _recall((scores > best[:, None]).sum(1))


def top1(images: Matrix, classes: Matrix, labels: Sequence[int]) -> float:
    """Percent of images (n, d) whose nearest class text (c, d) is their label."""
    return 100 * float(((images @ classes.T).argmax(1) == np.asarray(labels)).mean())


def precision(vectors: Matrix, labels: NDArray[np.integer], k: int) -> float:
    """Mean percent of the `k` nearest other images with the same label, over images (n, d)."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    nearest = np.argpartition(-scores, k, axis=1)[:, :k]
    return 100 * float((labels[nearest] == labels[:, None]).mean())


def preference(images: Matrix, right: Matrix, wrong: Matrix) -> float:
    """Percent of images (n, d) that are nearer to the `right` text of their row than to `wrong`."""
    return 100 * float((np.einsum("nd,nd->n", images, right - wrong) > 0).mean())
