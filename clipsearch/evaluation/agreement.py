"""Agreement of two models: compare the results of one with the results of another.

The measure of a small model that stands in for a large one, and of one model in two precisions or
runtimes. The other model's results are the truth, so no labels are needed.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.embeddings import (
    EmbeddedImages,
    embed_image_files,
    embed_text_list,
    load_encoder,
    warn_skipped,
)
from clipsearch.evaluation.metrics import average_precision_at_k, rank_correlation, top_k
from clipsearch.evaluation.results import Estimate, Evaluation, Measure, share_measures
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.progress import Progress
from clipsearch.files.text_lines import numbered_lines
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.types import Vectors

RESULT_LENGTHS = tuple(range(10, 21))
"""Lengths N of the result lists that are compared."""
QUERY_BATCH = 64
"""Queries that are scored at once."""


def read_queries(path: str | Path) -> list[str]:
    """Read text queries from a UTF-8 file, one per line, without duplicates.

    Raises UsageError if the file cannot be read or holds no queries.
    """
    queries = list(dict.fromkeys(line for _, line in numbered_lines(path)))
    if not queries:
        raise UsageError(f"{escape_control(str(path))} holds no queries: write one per line")
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
    """Measure how well the results of `model` match those of `against` on files and folders.

    Each text in `queries` searches the images with both models. Without queries, each image
    searches the others. mAP@N is the mean average precision of the model's first N results if the
    other model's first N results are right, for N = 10 … 20, and the mean of these. The rank
    correlation (Spearman's) compares the whole rankings. Two models with the same weights and
    preprocessing, so of different precision, are also compared vector by vector.

    `limit` takes only the first images. Images that cannot be used are skipped with a warning.
    Raises UsageError on fewer than 21 images.
    """
    paths = _image_paths(images, limit)
    encoder = load_encoder(model, runtime=runtime)
    reference = load_encoder(against, runtime=against_runtime)
    if progress is not None:
        progress.total = 2 * (len(paths) + len(queries))
    started = time.monotonic()
    embedded = embed_image_files(paths, encoder, progress)
    reference_embedded = embed_image_files(paths, reference, progress)
    vectors, reference_vectors = _common_vectors(embedded, reference_embedded)
    warn_skipped(embedded.skipped, len(paths))
    if len(vectors) <= max(RESULT_LENGTHS):
        raise UsageError(
            f"agreement needs more than {max(RESULT_LENGTHS)} images, not {len(vectors)}"
        )
    if queries:
        group, query_count = "text queries", len(queries)
        query_vectors = embed_text_list(queries, encoder, progress)
        reference_queries = embed_text_list(queries, reference, progress)
        score_pairs = _score_queries(query_vectors, vectors, reference_queries, reference_vectors)
    else:
        group, query_count = "image queries", len(vectors)
        score_pairs = _score_images(vectors, reference_vectors)
    measures = _ranking_measures(group, score_pairs)
    if encoder.identity.is_comparable(reference.identity):
        measures += _cosine_measures(vectors, reference_vectors)
    return Evaluation(
        kind="agreement",
        model=f"{encoder.identity.name} against {reference.identity.name}",
        counts={"images": len(vectors), "queries": query_count},
        measures=measures,
        skipped=embedded.skipped,
        seconds=time.monotonic() - started,
    )


ScorePairs: TypeAlias = Iterator[tuple[Vectors, Vectors]]
"""The (q, n) scores of both models for the same queries and images, a few queries at a time."""


def _ranking_measures(group: str, score_pairs: ScorePairs) -> tuple[Measure, ...]:
    rows: list[NDArray[np.float64]] = []
    longest = max(RESULT_LENGTHS)
    for scores, reference_scores in score_pairs:
        results, truth = top_k(scores, longest), top_k(reference_scores, longest)
        precisions = np.stack(
            [average_precision_at_k(results[:, :n], truth[:, :n]) for n in RESULT_LENGTHS], axis=1
        )
        correlations = [
            rank_correlation(*pair) for pair in zip(scores, reference_scores, strict=True)
        ]
        rows.append(np.column_stack([precisions, precisions.mean(axis=1), correlations]))
    names = [f"mAP@{n}" for n in RESULT_LENGTHS]
    names.append(f"mAP@{RESULT_LENGTHS[0]}-{RESULT_LENGTHS[-1]}")
    *precision_means, correlation = bootstrap.estimate_means(np.concatenate(rows))
    return (
        *share_measures(group, names, precision_means),
        Measure(group, "rank correlation", correlation, is_share=False),
    )


def _score_queries(
    queries: Vectors, images: Vectors, reference_queries: Vectors, reference_images: Vectors
) -> ScorePairs:
    for start in range(0, len(queries), QUERY_BATCH):
        part = slice(start, start + QUERY_BATCH)
        yield queries[part] @ images.T, reference_queries[part] @ reference_images.T


def _score_images(images: Vectors, reference_images: Vectors) -> ScorePairs:
    """Score each image against the others: (q, n - 1), without the image itself."""
    start = 0
    for pair in _score_queries(images, images, reference_images, reference_images):
        count = len(pair[0])
        is_other = np.arange(len(images))[None, :] != np.arange(start, start + count)[:, None]
        scores, reference_scores = (table[is_other].reshape(count, -1) for table in pair)
        yield scores, reference_scores
        start += count


def _cosine_measures(vectors: Vectors, reference_vectors: Vectors) -> tuple[Measure, ...]:
    """Compare the two vectors of each image."""
    cosines = np.einsum(
        "nd,nd->n", vectors.astype(np.float64), reference_vectors.astype(np.float64)
    )
    [mean] = bootstrap.estimate_means(cosines[:, None])
    lowest = Estimate(float(cosines.min()))
    return (
        Measure("same image", "cosine", mean, is_share=False),
        Measure("same image", "lowest cosine", lowest, is_share=False),
    )


def _common_vectors(first: EmbeddedImages, second: EmbeddedImages) -> tuple[Vectors, Vectors]:
    """The vectors of the images that both models could embed."""
    _, in_first, in_second = np.intersect1d(first.indices, second.indices, return_indices=True)
    return first.vectors[in_first], second.vectors[in_second]


def _image_paths(images: Sequence[str | Path], limit: int | None) -> list[Path]:
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1, not {limit}")
    source = FileSource(images)
    source.require_any()
    return list(islice((file.path for file in source if isinstance(file, ImageFile)), limit))
