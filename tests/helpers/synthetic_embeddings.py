"""Synthetic embeddings of images with and without text, whose direction of text is known."""

import numpy as np

from clipsearch.models.base import ModelIdentity
from clipsearch.textness import TextnessProbe, fit_vectors
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

DIM = 256
MODEL = ModelIdentity(
    name="made-up", dim=DIM, weights="w0", preprocessing="none", precision="float64"
)


class SyntheticEmbeddings:
    """Images with content in 40 directions, and text in one more direction, which is known.

    `spread` is the standard deviation of the content. `drift` shifts the images with text along the
    first content direction, in standard deviations of it, as if screenshots showed other objects.
    `text` is the range of the shift along the direction of text.
    """

    def __init__(
        self, *, spread: float = 0.5, drift: float = 0.0, text: tuple[float, float] = (0.2, 0.5)
    ) -> None:
        rng = np.random.default_rng(42)
        self.rng, self.drift, self.text = rng, drift, text
        self.direction, self.cone = normalize(rng.standard_normal((2, DIM)))
        weights = np.arange(1, 41) ** -0.5
        self.contents = normalize(rng.standard_normal((40, DIM)))
        self.sizes = spread * weights / np.linalg.norm(weights)

    def images(self, count: int, *, text: bool) -> Vectors:
        amounts = self.rng.standard_normal((count, 40)) * self.sizes
        amounts[:, 0] += self.drift * self.sizes[0] * text
        noise = 0.2 * self.rng.standard_normal((count, DIM)) / np.sqrt(DIM)
        shift = text * self.rng.uniform(*self.text, (count, 1))
        return normalize(0.5 * self.cone + amounts @ self.contents + noise + shift * self.direction)

    def queries(self, count: int) -> Vectors:
        return normalize(self.rng.standard_normal((count, 40)) @ self.contents)

    def fit(self, count: int) -> TextnessProbe:
        images = self.images(count, text=True), self.images(count, text=False)
        return fit_vectors(*images, MODEL, queries=self.queries(50))


def accuracy(probe: TextnessProbe, world: SyntheticEmbeddings) -> float:
    right = probe.score(world.images(2_000, text=True)) > 0.5
    wrong = probe.score(world.images(2_000, text=False)) > 0.5
    return float(right.mean() + 1 - wrong.mean()) / 2
