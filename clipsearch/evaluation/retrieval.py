"""Cross-modal retrieval: does a caption find its picture, and a picture its captions?

Counted as Karpathy and Li (2015, "Deep Visual-Semantic Alignments", section 4.2) and everybody
since: each caption is a query of its own and only its own picture is right; each picture is a
query, and the first of its captions decides.
"""

import logging
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
from clipsearch.evaluation.embeddings import embed_image_files, embed_lines, encoder_of, named
from clipsearch.evaluation.metrics import Place, place
from clipsearch.evaluation.results import Evaluation, Measure, proportions
from clipsearch.files.paths import expand_user, is_file
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.types import Failure, Vectors

log = logging.getLogger("clipsearch")

AT = (1, 5, 10)
SCORES = 16 << 20  # scores in memory at once: 64 MB
BESIDE = (".", "images", "Images")  # where captions usually have their pictures


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
    """Recall at 1, 5 and 10, median rank and mAP, from text to image and from image to text.

    `captions` is a file (see `read_captions`) or its content; its pictures are looked for in the
    folder `images`, by default that of the file and "images" in it. `split` takes only that split
    of the file, `limit` only the first pictures. Pictures that are missing or broken are skipped
    with a warning; UsageError where none is left. Intervals come from resampling the pictures, each
    with its captions, with the other pictures in place.
    """
    pairs, folder = _pairs(captions, images, split)
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1, not {limit}")
    pairs = pairs[:limit]
    here, skipped = _present(pairs, folder)
    encoder = encoder_of(model, runtime=runtime)
    if progress is not None:
        progress.total = len(here) + sum(map(len, here.values()))
    started = time.monotonic()
    pictures = embed_image_files(list(here), encoder, progress)
    skipped = (*skipped, *pictures.skipped)
    if skipped:
        log.warning("%s of %s pictures are left out: %s", f"{len(skipped):,}", f"{len(pairs):,}", named(skipped))  # fmt: skip
    captions_of = list(here.values())
    used = [captions_of[number] for number in pictures.kept]
    texts = embed_lines([text for own in used for text in own], encoder, progress)
    owner = np.repeat(np.arange(len(used)), [len(own) for own in used])
    return Evaluation(
        kind="retrieval",
        model=encoder.identity.name,
        counts={"images": len(used), "captions": len(texts)},
        measures=measures(texts, pictures.vectors, owner),
        skipped=skipped,
        seconds=time.monotonic() - started,
    )


def measures(texts: Vectors, images: Vectors, owner: NDArray[np.intp]) -> tuple[Measure, ...]:
    """All numbers for (n, d) captions of (m, d) pictures; `owner` (n,) is ascending: whose they are."""
    to_image = [place(row, [own]) for row, own in zip(_scores(texts, images), owner, strict=True)]
    bounds = np.searchsorted(owner, np.arange(len(images) + 1))
    to_text = [
        place(row, np.arange(*own))
        for row, own in zip(_scores(images, texts), pairwise(bounds), strict=True)
    ]
    return (
        *_direction("text to image", to_image, owner),
        *_direction("image to text", to_text, np.arange(len(images))),
    )


def _direction(group: str, places: Sequence[Place], owner: NDArray[np.intp]) -> tuple[Measure, ...]:
    first = np.array([one.first for one in places])
    hits = [first <= k for k in AT]
    table = np.stack([*hits, [one.precision for one in places]], axis=1)
    names = [*(f"R@{k}" for k in AT), "mAP"]
    middle = bootstrap.median(first, owner)
    return (
        *proportions(group, names, bootstrap.means(table, owner)),
        Measure(group, "median rank", middle, share=False, lower_is_better=True),
    )


def _scores(queries: Vectors, gallery: Vectors) -> Iterator[Vectors]:
    """The cosines (m,) of each query with the whole gallery, a bounded number in memory at once."""
    step = max(1, SCORES // len(gallery))
    for start in range(0, len(queries), step):
        yield from queries[start : start + step] @ gallery.T


def _pairs(
    captions: str | Path | Sequence[CaptionedImage], images: str | Path | None, split: str | None
) -> tuple[Sequence[CaptionedImage], Sequence[Path]]:
    """The pictures with their captions, and the folders where their files may be."""
    if isinstance(captions, str | Path):
        pairs: Sequence[CaptionedImage] = read_captions(captions, split=split)
        beside = expand_user(Path(captions)).parent
    else:
        pairs = [pair for pair in captions if split is None or pair.split == split]
        beside = Path()
        if not pairs:
            raise UsageError("there are no captions to evaluate with")
    if images is None:
        return pairs, [beside / name for name in BESIDE]
    folder = expand_user(Path(images))
    if not folder.is_dir():
        raise UsageError(f"no such folder of pictures: {escape_control(str(folder))}")
    return pairs, [folder]


def _present(
    pairs: Sequence[CaptionedImage], folders: Sequence[Path]
) -> tuple[dict[Path, tuple[str, ...]], tuple[Failure, ...]]:
    """The captions of each picture file, and the pictures that have none."""
    here: dict[Path, tuple[str, ...]] = {}
    missing: list[Failure] = []
    for pair in pairs:
        path = next((p for folder in folders if is_file(p := folder / pair.file)), None)
        if path is None:
            missing.append(Failure(Path(pair.file), "no such file"))
        else:
            here[path] = here.get(path, ()) + tuple(pair.captions)
    if not here:
        where = escape_control(str(folders[0]))
        raise UsageError(
            f"none of the {len(pairs):,} captioned pictures is in {where}: {named(missing)}; name "
            "their folder (--images)"
        )
    return here, tuple(missing)
