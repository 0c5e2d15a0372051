"""A small world of things, images and texts, and calibrations fitted to it."""

from dataclasses import dataclass

import numpy as np
import pytest

from clipsearch.calibration import Calibration, fit
from clipsearch.calibration.caption_queries import CaptionQuery
from clipsearch.calibration.fit import CaptionedVectors, fit_calibration
from clipsearch.models.base import ModelIdentity
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

DIM = 32
IDENTITY = ModelIdentity("world", DIM, "w", "none")


@dataclass(frozen=True, slots=True)
class World:
    """Images (n, d), of which each shows one thing; texts (t, d) that name the things."""

    images: Vectors
    shown: np.ndarray
    texts: Vectors

    def data(self, things: range) -> CaptionedVectors:
        """Captions that name these things alone."""
        rows = np.flatnonzero(np.isin(self.shown, things))
        place = {row: at for at, row in enumerate(rows)}
        queries = [
            CaptionQuery(str(thing), tuple(place[row] for row in rows if self.shown[row] == thing))
            for thing in things
        ]
        words = self.texts[list(things)]
        return CaptionedVectors(
            self.images[rows],
            self.texts[self.shown[rows]],
            np.arange(len(rows)),
            words,
            words,
            queries,
        )


def make_world(seed: int = 0, things: int = 60, of_each: int = 12) -> World:
    """Things are random directions; images and texts lie near them, on two sides of a gap."""
    draw = np.random.default_rng(seed)
    centers = normalize(draw.normal(size=(things, DIM)))
    gap = normalize(draw.normal(size=DIM))
    shown = np.repeat(np.arange(things), of_each)
    images = normalize(centers[shown] + gap + 0.12 * draw.normal(size=(len(shown), DIM)))
    texts = normalize(centers - 0.3 * gap + 0.05 * draw.normal(size=(things, DIM)))
    return World(images, shown, texts)


def quick_fit(world: World, things: range, monkeypatch: pytest.MonkeyPatch) -> Calibration:
    """Fit to some things of a world, with few simulated collections."""
    monkeypatch.setattr(fit, "COLLECTIONS", 400)
    return fit_calibration(IDENTITY, world.data(things), "a test")
