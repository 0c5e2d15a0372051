"""Classifiers and their predictions: the probabilities of labels for an image."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from clipsearch import arguments
from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.records import ImageRecord
from clipsearch.types import ImageRow, Vectors

BATCH_ROWS = 1_024
"""Images classified at once: with a thousand labels that takes a few megabytes."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label and its probability, 0..1, among all labels of the classifier."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Classification:
    """An image's label (None if below the threshold) and predictions, most probable first."""

    record: ImageRecord
    label: str | None
    predictions: tuple[Prediction, ...]


class Classifier(Protocol):
    """Labels, and the probability of each for a vector."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def probabilities(self, vectors: Vectors) -> Vectors:
        """(n, d) float32 rows of length 1 to (n, k) float32 probabilities; each row sums to 1."""
        ...


def softmax(logits: ArrayLike) -> Vectors:
    """Turn each row of (n, k) into probabilities, float32, without overflow."""
    rows = np.asarray(logits, dtype=np.float64)
    powers = np.exp(rows - rows.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def classify_rows(
    rows: Iterable[ImageRow],
    classifier: Classifier,
    *,
    top: int | None = None,
    threshold: float = 0.0,
) -> Iterator[Classification]:
    """Classify each row, in order, with its `top` predictions (None: all).

    The label is None if the best probability is below `threshold`. Among equally probable labels
    the first one wins.
    """
    count = len(classifier.labels) if top is None else min(top, len(classifier.labels))
    for batch in batches(rows, BATCH_ROWS):
        probabilities = classifier.probabilities(np.stack([row.embedding for row in batch]))
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
        for row, row_probabilities, best in zip(batch, probabilities, order, strict=True):
            predictions = tuple(
                Prediction(classifier.labels[i], float(row_probabilities[i])) for i in best
            )
            is_certain = predictions[0].probability >= threshold
            label = predictions[0].label if is_certain else None
            yield Classification(row.record, label, predictions)


def check_top_and_threshold(*, top: int | None, threshold: float) -> None:
    """Raise UsageError unless `top` is None or at least 1 and `threshold` is from 0 to 1."""
    if top is not None and arguments.integer("number of labels to show", top) < 1:
        raise UsageError(f"the number of labels to show must be at least 1, not {top}")
    if not 0 <= arguments.number("threshold", threshold) <= 1:
        raise UsageError(f"the threshold must be a probability from 0 to 1, not {threshold}")
