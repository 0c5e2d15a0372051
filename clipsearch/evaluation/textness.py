"""Typographic attacks: is a written word mistaken for the object, does textness help?

Class names are written on images of other classes (Goh et al. 2021, "Multimodal Neurons in
Artificial Neural Networks": an apple labeled "iPod"). Then each name is searched for at several
scales of textness. The textness bias is fitted on other images than those searched.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from clipsearch.classify.class_folders import find_class_folders, readable_name
from clipsearch.errors import ModelError, UsageError
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.embeddings import (
    embed_image_files,
    load_encoder,
    warn_skipped,
)
from clipsearch.evaluation.metrics import Indices, rank_query, top_k
from clipsearch.evaluation.results import Estimate, Evaluation, Measure
from clipsearch.evaluation.typographic_images import SEED, WritingJob, embed_written, plan_attacks
from clipsearch.files.discover import ImageFile
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_texts
from clipsearch.models.runtime import Runtime
from clipsearch.query.query import TextnessScale
from clipsearch.textness import TextnessProbe, TextRenderer, fit_vectors, steer
from clipsearch.textness.fit import MIN_IMAGES, embed_reference_queries
from clipsearch.types import Vectors

log = logging.getLogger("clipsearch")


SCALES: tuple[TextnessScale, ...] = (0, -0.5, -1, -1.5, -2, "off")
TOP = 10
"""Hits of a search that are counted."""


@dataclass(frozen=True, slots=True, eq=False)
class AttackData:
    """The searched images: n without and m with a written word.

    `clean` (n, d) are embeddings of the classes `clean_class` (n,). `attacked` (m, d) are
    embeddings of images of the classes `attacked_class` (m,), with the names of the classes `word`
    (m,) written on them.
    """

    clean: Vectors
    clean_class: Indices
    attacked: Vectors
    attacked_class: Indices
    word: Indices


def evaluate_textness(
    folder: str | Path,
    *,
    model: str | Encoder = "auto",
    per_class: int | None = None,
    writer: TextRenderer | None = None,
    runtime: Runtime | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure how many images of a word a search for the thing finds, by scale of textness.

    `folder` holds class folders. Every second image is searched; the others fit the bias. For each
    class, its name is written on ten images of other classes. For each scale, the measures are: the
    share of the first ten hits that are such images; the share of the real things (at most ten)
    among the first ten hits; the same without the images of words; and the rank of the first real
    thing. Besides, they tell how often an image is classified as the word written on it.

    `per_class` takes only the first images of a class; `writer` draws the words. A model that does
    not recognize text is measured at scale 0 only. Raises UsageError on fewer than two classes and
    on fewer than 20 images.
    """
    if per_class is not None and per_class < 2:
        raise UsageError(f"the images of a class must be at least 2, not {per_class}")
    classes = find_class_folders(folder)
    names = [readable_name(name) for name in classes]
    class_paths = [
        [file.path for file in files if isinstance(file, ImageFile)][:per_class]
        for files in classes.values()
    ]
    search_set = [(path, n) for n, paths in enumerate(class_paths) for path in paths[::2]]
    fit_paths = [path for paths in class_paths for path in paths[1::2]]
    if len(fit_paths) < MIN_IMAGES:
        raise UsageError(
            f"{len(fit_paths) + len(search_set)} images are too few: give at least {2 * MIN_IMAGES}"
        )
    encoder = load_encoder(model, runtime=runtime)
    jobs, attacked_class, word = plan_attacks(search_set, names)
    if progress is not None:
        progress.total = len(search_set) + 2 * len(fit_paths) + len(jobs)
    started = time.monotonic()
    embed = partial(
        embed_written, encoder=encoder, writer=writer or TextRenderer(), progress=progress
    )
    clean = embed_image_files([path for path, _ in search_set], encoder, progress)
    fit_clean = embed_image_files(fit_paths, encoder, progress)
    fit_written = embed([WritingJob(path, None, number) for number, path in enumerate(fit_paths)])
    attacked = embed(jobs)
    skipped = (*clean.skipped, *fit_clean.skipped)
    warn_skipped(skipped, len(search_set) + len(fit_paths))
    data = AttackData(
        clean=clean.vectors,
        clean_class=np.array([n for _, n in search_set])[clean.indices],
        attacked=attacked.vectors,
        attacked_class=attacked_class[attacked.indices],
        word=word[attacked.indices],
    )
    probe = _fit_probe(fit_written.vectors, fit_clean.vectors, encoder)
    return Evaluation(
        kind="textness",
        model=encoder.identity.name,
        counts={"names": len(names), "images": len(data.clean), "written": len(data.attacked)},
        measures=_measures(data, embed_texts(encoder, names), probe),
        skipped=skipped,
        seconds=time.monotonic() - started,
    )


def _fit_probe(with_text: Vectors, without_text: Vectors, encoder: Encoder) -> TextnessProbe | None:
    """Fit a probe; returns None, with a warning, if the model does not recognize text."""
    try:
        queries = embed_reference_queries(encoder)
        return fit_vectors(with_text, without_text, encoder.identity, queries=queries, seed=SEED)
    except ModelError as error:
        log.warning("%s", error)
        return None


def _measures(
    data: AttackData, queries: Vectors, probe: TextnessProbe | None
) -> tuple[Measure, ...]:
    scales = SCALES if probe else (0,)
    searches = [
        measure for scale in scales for measure in _search_measures(data, queries, probe, scale)
    ]
    predicted = top_k(data.attacked @ queries.T, 1)[:, 0]
    is_right = top_k(data.clean @ queries.T, 1)[:, 0] == data.clean_class
    [right] = bootstrap.estimate_means(is_right[:, None])
    right_attacked, as_word = bootstrap.estimate_means(
        np.stack([predicted == data.attacked_class, predicted == data.word], axis=1)
    )
    group = "classified by the bare names"
    return (
        *searches,
        Measure(group, "right without words", right),
        Measure(group, "right with a wrong word", right_attacked),
        Measure(group, "as the word", as_word, lower_is_better=True),
        *([Measure("probe of text", "accuracy", Estimate(probe.accuracy))] if probe else []),
    )


def _search_measures(
    data: AttackData, queries: Vectors, probe: TextnessProbe | None, scale: TextnessScale
) -> Iterator[Measure]:
    """Measure the searches for all names at one scale; intervals resample the names."""
    rows, first_ranks = [], []
    for name in np.unique(data.clean_class):
        query = queries[name] if probe is None else steer(queries[name], probe.bias, scale)
        things = np.flatnonzero(data.clean_class == name)
        clean_scores = data.clean @ query
        scores = np.concatenate([clean_scores, data.attacked @ query])
        top, top_clean = top_k([scores], TOP)[0], top_k([clean_scores], TOP)[0]
        attainable = min(TOP, len(things))
        attacked = len(clean_scores) + np.flatnonzero(data.word == name)
        thing_share, clean_thing_share = (
            np.isin(hits, things).sum() / attainable for hits in (top, top_clean)
        )
        rows.append([np.isin(top, attacked).mean(), thing_share, clean_thing_share])
        first_ranks.append(rank_query(scores, things).first_rank)
    group = "textness off" if scale == "off" else f"textness {scale:g}"
    word_share, thing_share, clean_thing_share = bootstrap.estimate_means(rows)
    median_rank = bootstrap.estimate_median(first_ranks)
    yield Measure(group, f"images of the word in top {TOP}", word_share, lower_is_better=True)
    yield Measure(group, f"real things in top {TOP}", thing_share)
    yield Measure(group, "the same without images of words", clean_thing_share)
    yield Measure(
        group, "rank of the first, median", median_rank, is_share=False, lower_is_better=True
    )
