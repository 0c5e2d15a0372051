"""From pictures with and without text to a probe.

The method is PicCollage's (2021): a linear probe on embeddings, `nn.Linear(d, 2)`, whose weight row
for pictures with text is the direction in which a query asks for text.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from clipsearch.batching import batches
from clipsearch.cpu import available
from clipsearch.errors import ImageError, ModelError, UsageError, VectorError
from clipsearch.images.decode import decode, upright
from clipsearch.logistic_regression import Floats
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.embedding import BATCH, embed_images, embed_texts
from clipsearch.textness.direction import (
    cross_validate,
    fit_direction,
    score_spread,
    whitening_matrix,
)
from clipsearch.textness.probe import TextnessProbe
from clipsearch.types import Vectors

S = TypeVar("S")
T = TypeVar("T")

log = logging.getLogger("clipsearch")

UNIT_Z = 1.0
"""Standard deviations of a query's scores by which scale 1 lifts a picture with text."""

MIN_IMAGES = 10
"""Pictures of a kind: two in each fold."""
MIN_AUC = 0.6
"""Below it the direction is mostly noise, and would do harm of a length that grows as it is worse."""

SIDE_RATIO = 10 / 7
"""Times the model's own side that the shorter side of a fit's pictures has: 320 pixels for 224. So the
smallest letters that are drawn are as small to every model, and none is fitted on what it cannot see."""
MIN_SIDE = 160
"""Pixels, whatever the model: on fewer there is no room for text of many kinds."""

_THINGS = """
dog cat bird horse cow fish flower tree forest mountain beach river snow sunset street
house church bridge kitchen bedroom garden car bus train boat airplane bicycle motorcycle
chair table bottle cup cake fruit pizza meal man woman child baby crowd wedding concert
football swimming running clock computer toy statue
"""
QUERIES = tuple(f"a photo of a {thing}" for thing in _THINGS.split())
"""Things that people look for in photographs; how widely their scores spread is a model's own."""


def fit_probe(
    encoder: Encoder,
    with_text: Sequence[Image | Path],
    without_text: Sequence[Image | Path],
    *,
    seed: int = 0,
) -> TextnessProbe:
    """A probe from pictures, or files of them, with and without text; see `fit_vectors`.

    Files that cannot be read are left out with a warning. The probe does not depend on anything
    but the pictures, the model and the seed.
    """
    return fit_vectors(
        embed_image_files(encoder, with_text),
        embed_image_files(encoder, without_text),
        encoder.identity,
        queries=embed_reference_queries(encoder),
        seed=seed,
    )


def fit_vectors(
    with_text: Vectors,
    without_text: Vectors,
    model: ModelIdentity,
    *,
    queries: Vectors | None = None,
    ordinary: Vectors | None = None,
    seed: int = 0,
) -> TextnessProbe:
    """A probe from the embeddings of pictures with (n, d) and without (m, d) text, of length 1.

    The direction is that of a logistic regression, `nn.Linear(d, 2)`: the weight row of 'with text'
    minus that of 'without'. Its penalty is the weight's variance over `ordinary` pictures (k, d),
    mostly without text, plus a little of the usual L2: what pictures differ in anyway is no sign of
    text, even where those with text happen to differ in it too. So some hundred pictures are
    enough. By default `ordinary` are the pictures without text; more of their sort are better.

    The length of the bias makes a scale mean the same for every model. Scale 1 raises a picture
    with text, against one without, by `UNIT` standard deviations of an ordinary query's scores:
    |bias| = UNIT · σ / gap. The gap is the mean distance between both kinds along the direction, on
    pictures held out. σ is how widely the scores of one of `queries`, (k, d) of length 1, spread
    over the pictures without text: the median of k, each measured as for the `z` of a hit. So scale
    -2 takes 2 · UNIT off the z of pictures with text. Without `queries` the pictures without text
    serve as such.

    Raises UsageError on fewer than `FEWEST` of a kind, VectorError on a wrong dimension, ModelError
    where the model does not tell the two kinds apart.
    """
    rows = [_checked(vectors, model.dim) for vectors in (with_text, without_text)]
    check_counts(*map(len, rows))
    usual = rows[1] if ordinary is None else _checked(ordinary, model.dim)
    deviation = 0.0 if queries is None else score_spread(rows[1], _checked(queries, model.dim))
    deviation = deviation or score_spread(rows[1], rows[1])
    # What all pictures have in common grows shorter, on a sphere, by whatever else is added to
    # them. That is no direction of text, and changes no ranking: nothing of it gets into the bias.
    common = rows[1].mean(axis=0)
    common /= np.linalg.norm(common)
    *rows, usual = (kind - np.outer(kind @ common, common) for kind in (*rows, usual))
    metric = whitening_matrix(usual)
    held_out = cross_validate(rows[0], rows[1], None if ordinary is None else metric, seed)
    auc = held_out.auc()
    if auc < MIN_AUC or not deviation:
        raise ModelError(
            f"{model.name} does not tell pictures with text from those without (AUC {auc:.2f}, a "
            "coin has 0.5): there is no textness to add or remove"
        )
    slope, intercept = held_out.calibration()
    cut = -intercept / slope
    unit, middle = fit_direction(rows[0], rows[1], metric)
    length = UNIT_Z * deviation / held_out.gap()
    return TextnessProbe(
        bias=(length * unit).astype(np.float32),
        threshold=length * (middle + cut),
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

    Those that lie further along than half of the pictures with text: a model that hardly reads
    takes many pictures for ones with some. Pictures without text are judged by directions that
    were fitted without them.
    """
    rows = [vectors.astype(np.float64) for vectors in (with_text, without_text)]
    held_out = cross_validate(rows[0], rows[1], None, seed)
    most = np.median(held_out.with_text)
    unit, middle = fit_direction(rows[0], rows[1], None)
    return held_out.without_text > most, others @ unit - middle > most


def embed_image_files(encoder: Encoder, pictures: Iterable[Image | Path]) -> Vectors:
    """Pictures, or the files that can be read, as (n, d) float32 of length 1, made small before."""
    small = partial(_small, side=working_side(encoder))
    images = (image for image in map_in_threads(small, pictures) if image is not None)
    parts = [embed_images(encoder, batch) for batch in batches(images, BATCH)]
    return np.concatenate(parts) if parts else embed_images(encoder, [])


def map_in_threads(step: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """The step's results in order; Pillow drops the GIL, and no more than a batch is read ahead."""
    with ThreadPoolExecutor(available()) as pool:
        for batch in batches(items, BATCH):
            yield from pool.map(step, batch)


def embed_reference_queries(encoder: Encoder) -> Vectors:
    """The built-in ordinary queries as (k, d) float32 of length 1."""
    return embed_texts(encoder, QUERIES)


def working_side(encoder: Encoder) -> int:
    """Pixels that the shorter side of a fit's pictures has at most."""
    return max(MIN_SIDE, round(SIDE_RATIO * encoder.input_size))


def load_resized(path: Path, side: int) -> Image:
    """A file's picture with a shorter side of at most `side` pixels; raise ImageError as `decode`."""
    return _shrunk(decode(path, min_side=side).image, side)


def _shrunk(image: Image, side: int) -> Image:
    """The picture with a shorter side of at most `side` pixels."""
    share = side / min(image.size)
    if share >= 1:
        return image
    width, height = (max(1, round(side * share)) for side in image.size)
    return image.resize((width, height), reducing_gap=2.0)


def _small(picture: Image | Path, side: int) -> Image | None:
    if not isinstance(picture, Path):
        return _shrunk(upright(picture), side)
    try:
        return load_resized(picture, side)
    except ImageError as error:
        log.warning("left out %s: %s", picture, error)
        return None


def _checked(vectors: Vectors, dim: int) -> Floats:
    if vectors.ndim != 2 or vectors.shape[1] != dim or not np.all(np.isfinite(vectors)):
        raise VectorError(
            f"vectors of shape {vectors.shape} cannot be fitted: need finite (n, {dim}) float32"
        )
    return vectors.astype(np.float64)


def check_counts(with_text: int, without_text: int) -> None:
    """Raise UsageError on too few pictures of a kind."""
    if min(with_text, without_text) < MIN_IMAGES:
        raise UsageError(
            f"{with_text} pictures with text and {without_text} without are too few: give at least "
            f"{MIN_IMAGES} of each, better 100"
        )
