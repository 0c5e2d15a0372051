"""Vectors in labeled clusters, and a linear probe fitted to them."""

from dataclasses import replace

import numpy as np

from clipsearch.classify import LinearProbe
from clipsearch.logistic_regression import Targets, fit_multinomial
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from tests.helpers.records import MODEL


def clusters(
    sizes: tuple[int, ...], *, spread: float = 0.3, dim: int = 8, seed: int = 0
) -> tuple[Vectors, Targets]:
    """Unit vectors scattered around one axis for each class, and their classes."""
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(sizes)), sizes)
    return normalize(
        np.eye(dim)[targets] + spread * random.normal(size=(len(targets), dim))
    ), targets


def probe_of(features: Vectors, targets: Targets, *labels: str) -> LinearProbe:
    weights, bias = fit_multinomial(features, targets, inverse_penalty=10)
    model = replace(MODEL, dim=features.shape[1])
    return LinearProbe(labels, weights, bias, model, len(features), 0.9)
