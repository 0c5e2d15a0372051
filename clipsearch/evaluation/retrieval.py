"""Cross-modal retrieval: search images by their captions, and captions by their image.

Counted as in Karpathy and Li (2015, "Deep Visual-Semantic Alignments", section 4.2) and the papers
since: each caption is a query, and only its own image is right; each image is a query, and the
first of its captions decides.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.captions import CaptionedImage, read_captions
from clipsearch.evaluation.embeddings import (
    describe_failures,
    embed_image_files,
    embed_text_list,
    load_encoder,
    warn_skipped,
)
from clipsearch.evaluation.metrics import QueryRanking, rank_query
from clipsearch.evaluation.results import Evaluation, Measure, share_measures
from clipsearch.files.paths import expand_user, is_file
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.types import Failure, Vectors

RECALL_LENGTHS = (1, 5, 10)
MAX_SCORES = 16 << 20
"""Scores in memory at once: 64 MB."""
IMAGE_FOLDERS = (".", "images", "Images")
"""Where to look for images without `images`, relative to the folder of the caption file."""


def evaluate_retrieval(
    captions: str | Path | Sequence[CaptionedImage],
    *,
    model: str | Encoder = "auto",
    images: str | Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    runtime: Runtime | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure recall at 1, 5 and 10, median rank and mAP, from text to image and back.

    `captions` is a file (see `read_captions`) or its content. Its images are searched in the folder
    `images`, by default in that of the file and in "images" there. `split` takes only that split of
    the file, `limit` only the first images. Images that are missing or broken are skipped with a
    warning. Confidence intervals come from resampling the images, each with its captions, while the
    gallery of all images stays in place. Raises UsageError if no image is left.
    """
    captions_of, missing = find_captioned_files(captions, images, split, limit)
    encoder = load_encoder(model, runtime=runtime)
    if progress is not None:
        progress.total = len(captions_of) + sum(map(len, captions_of.values()))
    started = time.monotonic()
    embedded = embed_image_files(list(captions_of), encoder, progress)
    skipped = (*missing, *embedded.skipped)
    warn_skipped(skipped, len(captions_of) + len(missing))
    all_captions = list(captions_of.values())
    used_captions = [all_captions[index] for index in embedded.indices]
    texts = embed_text_list([text for texts in used_captions for text in texts], encoder, progress)
    image_of = np.repeat(np.arange(len(used_captions)), [len(texts) for texts in used_captions])
    return Evaluation(
        kind="retrieval",
        model=encoder.identity.name,
        counts={"images": len(used_captions), "captions": len(texts)},
        measures=retrieval_measures(texts, embedded.vectors, image_of),
        skipped=skipped,
        seconds=time.monotonic() - started,
    )


def find_captioned_files(
    captions: str | Path | Sequence[CaptionedImage],
    images: str | Path | None,
    split: str | None,
    limit: int | None,
) -> tuple[dict[Path, tuple[str, ...]], tuple[Failure, ...]]:
    """The captions by image file, and the images without a file; see `evaluate_retrieval`."""
    captioned, folders = _load_captions(captions, images, split)
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1, not {limit}")
    return _find_files(captioned[:limit], folders)


def retrieval_measures(
    texts: Vectors, images: Vectors, image_of: NDArray[np.intp]
) -> tuple[Measure, ...]:
    """Compute all measures for (n, d) captions of (m, d) images.

    `image_of` (n,) is the index of each caption's image, in ascending order.
    """
    text_rankings = [
        rank_query(scores, [image])
        for scores, image in zip(_score_rows(texts, images), image_of, strict=True)
    ]
    bounds = np.searchsorted(image_of, np.arange(len(images) + 1))
    image_rankings = [
        rank_query(scores, np.arange(first, end))
        for scores, (first, end) in zip(_score_rows(images, texts), pairwise(bounds), strict=True)
    ]
    return (
        *_direction_measures("text to image", text_rankings, image_of),
        *_direction_measures("image to text", image_rankings, np.arange(len(images))),
    )


def _direction_measures(
    group: str, rankings: Sequence[QueryRanking], image_of: NDArray[np.intp]
) -> tuple[Measure, ...]:
    first_ranks = np.array([ranking.first_rank for ranking in rankings])
    hits = [first_ranks <= k for k in RECALL_LENGTHS]
    table = np.stack([*hits, [ranking.average_precision for ranking in rankings]], axis=1)
    names = [*(f"R@{k}" for k in RECALL_LENGTHS), "mAP"]
    median_rank = bootstrap.estimate_median(first_ranks, image_of)
    return (
        *share_measures(group, names, bootstrap.estimate_means(table, image_of)),
        Measure(group, "median rank", median_rank, is_share=False, lower_is_better=True),
    )


def _score_rows(queries: Vectors, gallery: Vectors) -> Iterator[Vectors]:
    """Yield the cosines (m,) of each query with the gallery; at most MAX_SCORES are in memory."""
    step = max(1, MAX_SCORES // len(gallery))
    for start in range(0, len(queries), step):
        yield from queries[start : start + step] @ gallery.T


def _load_captions(
    captions: str | Path | Sequence[CaptionedImage], images: str | Path | None, split: str | None
) -> tuple[Sequence[CaptionedImage], Sequence[Path]]:
    """The images with their captions, and the folders that may hold the image files."""
    captioned: Sequence[CaptionedImage]
    if isinstance(captions, str | Path):
        captioned = read_captions(captions, split=split)
        captions_folder = expand_user(Path(captions)).parent
    else:
        captioned = [image for image in captions if split is None or image.split == split]
        captions_folder = Path()
        if not captioned:
            raise UsageError("there are no captions to evaluate with")
    if images is None:
        return captioned, [captions_folder / name for name in IMAGE_FOLDERS]
    folder = expand_user(Path(images))
    if not folder.is_dir():
        raise UsageError(f"no such folder of images: {escape_control(str(folder))}")
    return captioned, [folder]


def _find_files(
    captioned: Sequence[CaptionedImage], folders: Sequence[Path]
) -> tuple[dict[Path, tuple[str, ...]], tuple[Failure, ...]]:
    """The captions by image file, and the images without a file."""
    captions_of: dict[Path, tuple[str, ...]] = {}
    missing: list[Failure] = []
    for image in captioned:
        path = next((p for folder in folders if is_file(p := folder / image.file)), None)
        if path is None:
            missing.append(Failure(Path(image.file), "no such file", "missing"))
        else:
            captions_of[path] = captions_of.get(path, ()) + tuple(image.captions)
    if not captions_of:
        raise UsageError(
            f"none of the {len(captioned):,} captioned images is in "
            f"{escape_control(str(folders[0]))}: {describe_failures(missing)}; give their folder "
            "(--images)"
        )
    return captions_of, tuple(missing)
