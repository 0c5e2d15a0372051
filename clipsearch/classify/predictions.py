"""What a picture is, among some labels: probabilities, and the values that carry them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.types import ImageRecord, ImageRow, Vectors

ROWS = 1_024
"""Pictures at once: of a thousand labels that makes a few megabytes."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label and its probability, 0..1, among all the labels that were asked for."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Classification:
    """A picture's predictions, the most probable first, and its label; None for none of these."""

    record: ImageRecord
    label: str | None
    predictions: tuple[Prediction, ...]


class Classifier(Protocol):
    """Labels, and how probable each is for a vector."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def probabilities(self, vectors: Vectors) -> Vectors:
        """(n, d) float32 rows of length 1 to (n, k) float32 probabilities; each row sums to 1."""
        ...


def softmax(logits: ArrayLike) -> Vectors:
    """Each row of (n, k) as probabilities, float32, without overflow."""
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
    """The classification of each row, in order, with its `top` predictions (None: all).

    A picture whose best label has a probability below `threshold` has the label None. Of equally
    probable labels the first one counts.
    """
    count = len(classifier.labels) if top is None else min(top, len(classifier.labels))
    for batch in batches(rows, ROWS):
        probabilities = classifier.probabilities(np.stack([row.embedding for row in batch]))
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
        for row, chances, best in zip(batch, probabilities, order, strict=True):
            yield _classification(row.record, classifier.labels, chances, best, threshold)


def check_top_and_threshold(*, top: int | None, threshold: float) -> None:
    """Raise UsageError unless `top` is at least 1 (or None) and the threshold from 0 to 1."""
    if top is not None and top < 1:
        raise UsageError(f"the number of labels to show must be at least 1, not {top}")
    if not 0 <= threshold <= 1:  # also true for NaN
        raise UsageError(f"the threshold is a probability from 0 to 1, not {threshold}")


def _classification(
    record: ImageRecord, labels: Sequence[str], chances: Vectors, best: ArrayLike, threshold: float
) -> Classification:
    predictions = tuple(
        Prediction(labels[place], float(chances[place])) for place in np.asarray(best)
    )
    label = predictions[0].label if predictions[0].probability >= threshold else None
    return Classification(record, label, predictions)
