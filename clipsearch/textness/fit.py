"""Fitting a textness probe to embeddings of images with and without text.

The method is PicCollage's (2021): a linear probe on embeddings, `nn.Linear(d, 2)`, whose weight row
for images with text is the direction that steers a query towards text.
"""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ModelError, UsageError, VectorError
from clipsearch.logistic_regression import Floats
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.embedding import embed_texts
from clipsearch.textness.direction import (
    cross_validate,
    fit_direction,
    score_spread,
    whitening_matrix,
)
from clipsearch.textness.probe import TextnessProbe
from clipsearch.types import Vectors

UNIT_Z = 1.0
"""Standard deviations of a query's scores by which scale 1 raises an image with text."""

MIN_IMAGES = 10
"""Images per class: two in each fold."""

MIN_AUC = 0.6
"""Below it the direction is mostly noise, and the weaker it is, the longer its bias would be."""

_OBJECTS = """
dog cat bird horse cow fish flower tree forest mountain beach river snow sunset street
house church bridge kitchen bedroom garden car bus train boat airplane bicycle motorcycle
chair table bottle cup cake fruit pizza meal man woman child baby crowd wedding concert
football swimming running clock computer toy statue
"""
REFERENCE_QUERIES = tuple(f"a photo of a {name}" for name in _OBJECTS.split())
"""Typical searches; how widely their scores spread depends on the model."""


def embed_reference_queries(encoder: Encoder) -> Vectors:
    """Embed the reference queries: (k, d) float32 of length 1."""
    return embed_texts(encoder, REFERENCE_QUERIES)


def fit_vectors(
    with_text: Vectors,
    without_text: Vectors,
    model: ModelIdentity,
    *,
    queries: Vectors | None = None,
    reference: Vectors | None = None,
    seed: int = 0,
) -> TextnessProbe:
    """Fit a probe to embeddings of images with (n, d) and without (m, d) text, of length 1.

    The direction is that of a logistic regression, `nn.Linear(d, 2)`: the weight row of 'with text'
    minus that of 'without'. The penalty is the variance of the weights over `reference` images
    (k, d), mostly without text, plus a little L2. So a feature that varies among all images is not
    taken for a sign of text, even if it differs between the two classes by chance, and about a
    hundred images are enough. The default reference is `without_text`; more images of the same kind
    are better.

    The length of the bias gives a scale the same meaning for every model. Scale 1 raises an image
    with text, relative to one without, by `UNIT_Z` standard deviations of a typical query's scores:
    |bias| = UNIT_Z · σ / gap. The gap is the mean distance between the two classes along the
    direction, on held-out images. σ is how widely the scores of one of `queries`, (k, d) of length
    1, spread over the images without text: the median over the queries, measured as for the `z` of
    a hit. So scale -2 lowers the z of images with text by 2 · UNIT_Z. Without `queries` the images
    without text serve as queries.

    Raises UsageError on fewer than `MIN_IMAGES` per class, VectorError on a wrong dimension,
    ModelError if the model does not separate the two classes.
    """
    lettered, plain = (_check_vectors(vectors, model.dim) for vectors in (with_text, without_text))
    check_counts(len(lettered), len(plain))
    others = plain if reference is None else _check_vectors(reference, model.dim)
    deviation = 0.0 if queries is None else score_spread(plain, _check_vectors(queries, model.dim))
    deviation = deviation or score_spread(plain, plain)
    # All images share a mean direction. On the unit sphere that component shrinks when anything is
    # added, so it correlates with text; but it changes no ranking. It is removed from the fit.
    common = plain.mean(axis=0)
    common /= np.linalg.norm(common)
    lettered, plain, others = (
        vectors - np.outer(vectors @ common, common) for vectors in (lettered, plain, others)
    )
    whitening = whitening_matrix(others)
    held_out = cross_validate(lettered, plain, None if reference is None else whitening, seed)
    auc = held_out.auc()
    if auc < MIN_AUC or not deviation:
        raise ModelError(
            f"{model.name} does not separate images with text from images without (AUC {auc:.2f}, "
            "chance is 0.5): its queries cannot be steered by textness"
        )
    slope, intercept = held_out.calibration()
    cut = -intercept / slope
    unit, midpoint = fit_direction(lettered, plain, whitening)
    length = UNIT_Z * deviation / held_out.gap()
    return TextnessProbe(
        bias=(length * unit).astype(np.float32),
        threshold=length * (midpoint + cut),
        slope=slope / length,
        accuracy=held_out.accuracy(cut),
        auc=auc,
        with_text=len(with_text),
        without_text=len(without_text),
        model=model,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def detect_text(
    with_text: Vectors, without_text: Vectors, others: Vectors, *, seed: int = 0
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of `without_text`, (m, d), and of `others`, (k, d), seem to show text after all.

    These lie further along the direction than the median image with text; a lower cut would discard
    many images without text if the model hardly recognizes text. The images without text are judged
    by directions that were fitted without them.
    """
    lettered, plain = (vectors.astype(np.float64) for vectors in (with_text, without_text))
    held_out = cross_validate(lettered, plain, None, seed)
    cut = np.median(held_out.with_text)
    unit, midpoint = fit_direction(lettered, plain, None)
    return held_out.without_text > cut, others @ unit - midpoint > cut


def check_counts(with_text: int, without_text: int) -> None:
    """Raise UsageError if there are fewer than `MIN_IMAGES` images of a class."""
    if min(with_text, without_text) < MIN_IMAGES:
        raise UsageError(
            f"{with_text} images with text and {without_text} without are too few: give at least "
            f"{MIN_IMAGES} of each, better 100"
        )


def _check_vectors(vectors: Vectors, dim: int) -> Floats:
    if vectors.ndim != 2 or vectors.shape[1] != dim or not np.all(np.isfinite(vectors)):
        raise VectorError(
            f"vectors of shape {vectors.shape} cannot be fitted: need finite (n, {dim}) float32"
        )
    return vectors.astype(np.float64)
