"""The typographic test: does the model take a word for the thing, and does textness mend it?

The names of classes are written on pictures of other classes (Goh et al. 2021, "Multimodal Neurons
in Artificial Neural Networks": an apple labelled "iPod"). Then each name is searched for, at
several scales of textness; its bias is fitted on other pictures than those searched.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from clipsearch.batching import batches
from clipsearch.classify.class_folders import class_folders, readable_name
from clipsearch.errors import ImageError, ModelError, UsageError
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.embeddings import EmbeddedImages, embed_image_files, encoder_of, named
from clipsearch.evaluation.metrics import Indices, best, place
from clipsearch.evaluation.results import Estimate, Evaluation, Measure
from clipsearch.files.discover import ImageFile
from clipsearch.files.pool import Pool, ordered
from clipsearch.files.progress import Progress
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, embed_texts, encode_pixels
from clipsearch.models.runtime import Runtime
from clipsearch.textness import TextnessProbe, Writer, apply, fit_vectors, project
from clipsearch.textness.fit import FEWEST, embed_queries, opened, side_for
from clipsearch.types import Pixels, Vectors
from clipsearch.vectors import normalize

log = logging.getLogger("clipsearch")

Scale = float | Literal["off"]

SCALES: tuple[Scale, ...] = (0, -0.5, -1, -1.5, -2, "off")
TOP = 10
WORDS_EACH = 10  # pictures with each name
SEED = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A picture file to write on: `text`, or random words; `seed` decides how."""

    path: Path
    text: str | None
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Trap:
    """What is searched: `real` pictures (n, d) of the classes `shown` (n,), and `written` ones (m, d)
    of the classes `under` (m,) with the names of the classes `word` (m,) on them.
    """

    real: Vectors
    shown: Indices
    written: Vectors
    under: Indices
    word: Indices


def evaluate_textness(
    folder: str | Path,
    *,
    model: str | Encoder = "auto",
    per_class: int | None = None,
    writer: Writer | None = None,
    runtime: Runtime | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """How many pictures of a word a search for the thing finds, at several scales of textness.

    `folder` holds class folders; every second picture is searched, the others fit the bias.
    For each class ten pictures of other classes get its name written on them. For each scale: the
    share of the first ten hits that are these, the share of the ten (or all, if fewer) real things
    among them, the same with no written picture around, and the rank of the first real thing; and
    how often a written picture is classified as its word. `per_class` takes only the first pictures
    of a class, `writer` draws the words. For a model that sees no text there is scale 0 only. Raises UsageError on fewer than two classes, and on fewer than 20
    pictures.
    """
    if per_class is not None and per_class < 2:
        raise UsageError(f"the pictures of a class must be at least 2, not {per_class}")
    classes = class_folders(folder)
    names = [readable_name(name) for name in classes]
    files = [
        [f.path for f in found if isinstance(f, ImageFile)][:per_class]
        for found in classes.values()
    ]
    searched = [(path, n) for n, paths in enumerate(files) for path in paths[::2]]
    fitted = [path for paths in files for path in paths[1::2]]
    if len(fitted) < FEWEST:
        raise UsageError(
            f"{len(fitted) + len(searched)} pictures are too few: give at least {2 * FEWEST}"
        )
    encoder = encoder_of(model, runtime=runtime)
    jobs, under, word = _traps(searched, names)
    if progress is not None:
        progress.total = len(searched) + 2 * len(fitted) + len(jobs)
    started = time.monotonic()
    clean = embed_image_files([path for path, _ in searched], encoder, progress)
    write = partial(_embed_written, encoder=encoder, writer=writer or Writer(), progress=progress)
    plain = embed_image_files(fitted, encoder, progress)
    scrawled = write([Job(path, None, number) for number, path in enumerate(fitted)])
    written = write(jobs)
    skipped = (*clean.skipped, *plain.skipped)
    if skipped:
        log.warning("%s pictures are left out: %s", f"{len(skipped):,}", named(skipped))
    trap = Trap(
        real=clean.vectors,
        shown=np.array([n for _, n in searched])[clean.kept],
        written=written.vectors,
        under=under[written.kept],
        word=word[written.kept],
    )
    return Evaluation(
        kind="textness",
        model=encoder.identity.name,
        counts={"names": len(names), "images": len(trap.real), "written": len(trap.written)},
        measures=_measures(
            trap, embed_texts(encoder, names), _probe(scrawled.vectors, plain.vectors, encoder)
        ),
        skipped=skipped,
        seconds=time.monotonic() - started,
    )


def _probe(with_text: Vectors, without_text: Vectors, encoder: Encoder) -> TextnessProbe | None:
    """The probe of these pictures; None, with a warning, of a model that sees no text in them."""
    try:
        queries = embed_queries(encoder)
        return fit_vectors(with_text, without_text, encoder.identity, queries=queries, seed=SEED)
    except ModelError as error:
        log.warning("%s", error)
        return None


def _measures(trap: Trap, queries: Vectors, probe: TextnessProbe | None) -> tuple[Measure, ...]:
    scales = SCALES if probe else (0,)
    searches = [one for scale in scales for one in _searched(trap, queries, probe, scale)]
    scores = trap.written @ queries.T
    guess = best(scores, 1)[:, 0]
    before = best(trap.real @ queries.T, 1)[:, 0] == trap.shown
    [right] = bootstrap.means(before[:, None])
    with_word, fooled = bootstrap.means(np.stack([guess == trap.under, guess == trap.word], axis=1))
    return (
        *searches,
        Measure("classified by the bare names", "right without words", right),
        Measure("classified by the bare names", "right with a wrong word", with_word),
        Measure("classified by the bare names", "as the word", fooled, lower_is_better=True),
        *([Measure("probe of text", "accuracy", Estimate(probe.accuracy))] if probe else []),
    )


def _searched(
    trap: Trap, queries: Vectors, probe: TextnessProbe | None, scale: Scale
) -> Iterator[Measure]:
    """The numbers of all names' searches at one scale; their intervals resample the names."""
    rows, first = [], []
    for name in np.unique(trap.shown):
        query = _shifted(queries[name], probe, scale)
        own = np.flatnonzero(trap.shown == name)
        real = trap.real @ query
        both = np.concatenate([real, trap.written @ query])
        top, alone = best([both], TOP)[0], best([real], TOP)[0]
        possible = min(TOP, len(own))
        drawn = len(real) + np.flatnonzero(trap.word == name)
        words = np.isin(top, drawn).mean()
        things, things_alone = (np.isin(hits, own).sum() / possible for hits in (top, alone))
        rows.append([words, things, things_alone])
        first.append(place(both, own).first)
    group = "textness off" if scale == "off" else f"textness {scale:g}"
    words, things, alone = bootstrap.means(rows)
    yield Measure(group, f"pictures of the word in top {TOP}", words, lower_is_better=True)
    yield Measure(group, f"real things in top {TOP}", things)
    yield Measure(group, "the same without written pictures", alone)
    yield Measure(group, "rank of the first, median", bootstrap.median(first), share=False, lower_is_better=True)  # fmt: skip


def _shifted(query: Vectors, probe: TextnessProbe | None, scale: Scale) -> Vectors:
    if probe is None:
        return query
    return project(query, probe.bias) if scale == "off" else apply(query, probe.bias, scale)


def _traps(
    searched: Sequence[tuple[Path, int]], names: Sequence[str]
) -> tuple[list[Job], Indices, Indices]:
    """What to write on which pictures; the class of each of those, and that of its word."""
    random = np.random.default_rng(SEED)
    jobs: list[Job] = []
    under, word = [], []
    for number, name in enumerate(names):
        others = [(path, n) for path, n in searched if n != number]
        for place_of in random.choice(len(others), WORDS_EACH, replace=len(others) < WORDS_EACH):
            path, shown = others[int(place_of)]
            jobs.append(Job(path, name, len(jobs)))
            under.append(shown)
            word.append(number)
    return jobs, np.array(under), np.array(word)


def _embed_written(
    jobs: Sequence[Job], *, encoder: Encoder, writer: Writer, progress: Progress | None
) -> EmbeddedImages:
    """Written pictures as vectors; files that cannot be read were reported without words on them."""
    vectors: list[Vectors] = []
    kept: list[int] = []
    step: Callable[[Job], Pixels | None] = partial(_written, encoder=encoder, writer=writer)
    with Pool() as pool:
        loaded = enumerate(ordered(pool, step, jobs, ahead=2 * BATCH))
        for batch in batches(loaded, BATCH):
            there = [(number, pixels) for number, pixels in batch if pixels is not None]
            if there:
                vectors.append(normalize(encode_pixels(encoder, [pixels for _, pixels in there])))
                kept += [number for number, _ in there]
            if progress is not None:
                progress.update(len(batch))
    if not vectors:
        raise UsageError("none of the pictures can be written on: see the warnings")
    return EmbeddedImages(np.concatenate(vectors), np.array(kept, dtype=np.intp), ())


def _written(job: Job, *, encoder: Encoder, writer: Writer) -> Pixels | None:
    try:
        image = opened(job.path, side_for(encoder))
    except ImageError:
        return None
    random = np.random.default_rng([SEED, job.seed])
    seen = encoder.center_crop.box(*image.size)
    return encoder.preprocess(writer.write(image, random, text=job.text, within=seen))
