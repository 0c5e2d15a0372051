"""How far two models agree: what one finds, held against what the other finds.

For a small model that is to stand in for a large one, and for one model in two precisions or
runtimes. The truth is the other model's, so no labels are needed.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.embeddings import (
    EmbeddedImages,
    embed_image_files,
    embed_lines,
    encoder_of,
    named,
)
from clipsearch.evaluation.metrics import best, list_precision, rank_correlation
from clipsearch.evaluation.results import Estimate, Evaluation, Measure, proportions
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.progress import Progress
from clipsearch.files.text_lines import numbered_lines
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")

LENGTHS = tuple(range(10, 21))  # of the result lists that are compared
TOGETHER = 64  # queries scored at once


def read_queries(path: str | Path) -> list[str]:
    """Read text queries from a UTF-8 file, one a line, without duplicates.

    Raises UsageError if the file cannot be read or holds no queries.
    """
    queries = list(dict.fromkeys(line for _, line in numbered_lines(path)))
    if not queries:
        raise UsageError(f"{escape_control(str(path))} holds no queries: write one a line")
    return queries


def evaluate_agreement(
    images: Sequence[str | Path],
    *,
    model: str | Encoder,
    against: str | Encoder,
    queries: Sequence[str] = (),
    limit: int | None = None,
    runtime: Runtime | None = None,
    against_runtime: Runtime | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """How well the results of `model` match those of `against`, over pictures in files and folders.

    Each text of `queries` searches the pictures with both models; without any, each picture
    searches the others. mAP@N is the mean average precision of the model's first N results where
    the other's first N are right, for N = 10 … 20 and their mean; the rank correlation
    (Spearman's) compares the whole rankings. Two models of the same weights and preprocessing, so
    in other precisions, are also compared vector by vector. `limit` takes only the first pictures.
    Raises UsageError on fewer than 21 pictures.
    """
    paths = _paths(images, limit)
    one, other = encoder_of(model, runtime=runtime), encoder_of(against, runtime=against_runtime)
    if progress is not None:
        progress.total = 2 * (len(paths) + len(queries))
    started = time.monotonic()
    first = embed_image_files(paths, one, progress)
    second = embed_image_files(paths, other, progress)
    a, b = _common(first, second)
    if first.skipped:
        log.warning(
            "%s of %s pictures are left out: %s",
            f"{len(first.skipped):,}", f"{len(paths):,}", named(first.skipped),
        )  # fmt: skip
    if len(a) <= max(LENGTHS):
        raise UsageError(f"agreement needs more than {max(LENGTHS)} pictures, not {len(a)}")
    if queries:
        group, count = "text queries", len(queries)
        pairs = _scores(embed_lines(queries, one, progress), a, embed_lines(queries, other, progress), b)  # fmt: skip
    else:
        group, count = "picture queries", len(a)
        pairs = _scores_without_self(a, b)
    measures = _compared(group, pairs)
    if one.identity.is_comparable(other.identity):
        measures += _cosines(a, b)
    return Evaluation(
        kind="agreement",
        model=f"{one.identity.name} against {other.identity.name}",
        counts={"images": len(a), "queries": count},
        measures=measures,
        skipped=first.skipped,
        seconds=time.monotonic() - started,
    )


ScorePairs = Iterator[tuple[Vectors, Vectors]]


def _compared(group: str, pairs: ScorePairs) -> tuple[Measure, ...]:
    """All numbers from the (q, n) scores of both models, a few queries at a time."""
    rows: list[NDArray[np.float64]] = []
    for ours, theirs in pairs:
        found, truth = best(ours, max(LENGTHS)), best(theirs, max(LENGTHS))
        precise = np.stack([list_precision(found[:, :n], truth[:, :n]) for n in LENGTHS], axis=1)
        ranks = [rank_correlation(*pair) for pair in zip(ours, theirs, strict=True)]
        rows.append(np.column_stack([precise, precise.mean(axis=1), ranks]))
    names = [*(f"mAP@{n}" for n in LENGTHS), f"mAP@{LENGTHS[0]}-{LENGTHS[-1]}"]
    *shares, correlation = bootstrap.means(np.concatenate(rows))
    return (
        *proportions(group, names, shares),
        Measure(group, "rank correlation", correlation, share=False),
    )


def _scores(q: Vectors, a: Vectors, p: Vectors, b: Vectors) -> ScorePairs:
    """The scores of queries q over pictures a, and of the other model's p over its b."""
    for start in range(0, len(q), TOGETHER):
        part = slice(start, start + TOGETHER)
        yield q[part] @ a.T, p[part] @ b.T


def _scores_without_self(a: Vectors, b: Vectors) -> ScorePairs:
    """The same where each picture searches the others."""
    for start, (ours, theirs) in zip(range(0, len(a), TOGETHER), _scores(a, a, b, b), strict=True):
        others = np.arange(len(a))[None, :] != np.arange(start, start + len(ours))[:, None]
        shape = (len(ours), len(a) - 1)
        yield ours[others].reshape(shape), theirs[others].reshape(shape)


def _cosines(a: Vectors, b: Vectors) -> tuple[Measure, ...]:
    """How near the vectors of the same pictures are."""
    cosines = np.einsum("nd,nd->n", a.astype(np.float64), b.astype(np.float64))
    [mean] = bootstrap.means(cosines[:, None])
    return (
        Measure("same picture", "cosine", mean, share=False),
        Measure("same picture", "lowest cosine", Estimate(float(cosines.min())), share=False),
    )


def _common(first: EmbeddedImages, second: EmbeddedImages) -> tuple[Vectors, Vectors]:
    """The vectors of the pictures that both models could embed."""
    _, ours, theirs = np.intersect1d(first.kept, second.kept, return_indices=True)
    return first.vectors[ours], second.vectors[theirs]


def _paths(images: Sequence[str | Path], limit: int | None) -> list[Path]:
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1, not {limit}")
    source = FileSource(images)
    source.require_any()
    return list(islice((item.path for item in source if isinstance(item, ImageFile)), limit))
