"""`probe fit`: fit a linear probe to class folders and measure its learning curve."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch.classify.class_folders import find_class_folders, readable_name
from clipsearch.classify.class_matrix import ClassMatrix, build_class_matrix
from clipsearch.classify.labels import name_some
from clipsearch.classify.learning_curve import (
    SEEDS,
    SHOTS,
    LearningCurve,
    check_shots_and_seeds,
    measure_learning_curve,
)
from clipsearch.classify.linear_probe import LinearProbe
from clipsearch.classify.templates import DEFAULT_TEMPLATES, resolve_templates
from clipsearch.errors import UsageError
from clipsearch.files.embed import embed_files
from clipsearch.files.progress import Progress
from clipsearch.logistic_regression import Targets, choose_inverse_penalty, fit_multinomial
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.types import Failure, ImageRow, Vectors

log = logging.getLogger("clipsearch")


@dataclass(frozen=True, slots=True)
class ProbeFit:
    """A probe, its learning curve (None if not measured), and the files with problems.

    `conflicts` are groups of files with identical content in different class folders. They are part
    of the fit.
    """

    probe: LinearProbe
    curve: LearningCurve | None
    failed: tuple[Failure, ...]
    conflicts: tuple[tuple[Path, ...], ...] = ()


def fit_linear_probe(
    folder: str | Path,
    *,
    model: str = "auto",
    runtime: Runtime | None = None,
    shots: Sequence[int] = SHOTS,
    seeds: int = SEEDS,
    templates: Sequence[str] = DEFAULT_TEMPLATES,
    progress: Progress | None = None,
) -> ProbeFit:
    """Fit a logistic regression to the embeddings of the images in class folders.

    The penalty is chosen by cross-validation. With `seeds` (0 for none) a learning curve is
    measured first: the accuracy on held-out images after `shots` images of each class, and after
    all, and that of the zero-shot classifier of the folder names in `templates`. The probe itself
    is fitted to all images. Raises UsageError on fewer than two classes, fewer than two readable
    images in a class, or one file in two classes.
    """
    if seeds:
        check_shots_and_seeds(shots, seeds)
    resolve_templates(templates)
    classes = find_class_folders(folder)
    labels = tuple(classes)
    files = [file for label in labels for file in classes[label]]
    class_of = {file.path: i for i, label in enumerate(labels) for file in classes[label]}
    _check_class_sizes(labels, list(class_of.values()), [])
    encoder = registry.load(model, runtime)
    rows: list[ImageRow] = []
    failed: list[Failure] = []
    if progress is not None:
        progress.total = len(files)
    for item in embed_files(files, encoder, progress=progress):
        if isinstance(item, Failure):
            failed.append(item)
        else:
            rows.append(item)
    classes_of_rows = [class_of[row.record.path] for row in rows]
    _check_class_sizes(labels, classes_of_rows, failed)
    conflicts = _find_conflicts(zip(rows, classes_of_rows, strict=True))
    features = np.stack([row.embedding for row in rows])
    targets = np.array(classes_of_rows, dtype=np.intp)
    curve = None
    if seeds:
        zero_shot = _zero_shot(labels, templates, encoder)
        curve = measure_learning_curve(
            features, targets, shots=shots, seeds=seeds, zero_shot=zero_shot
        )
    probe = _fit_probe(labels, features, targets, encoder, curve)
    return ProbeFit(probe, curve, tuple(failed), conflicts)


def _zero_shot(labels: Sequence[str], templates: Sequence[str], encoder: Encoder) -> ClassMatrix:
    names = [readable_name(label) for label in labels]
    if len(set(names)) < len(names):  # a_b and "a b" would become the same prompt
        names = list(labels)
    return build_class_matrix(names, templates, model=encoder.identity, encoder=lambda: encoder)


def _fit_probe(
    labels: tuple[str, ...],
    features: Vectors,
    targets: Targets,
    encoder: Encoder,
    curve: LearningCurve | None,
) -> LinearProbe:
    inverse_penalty = (
        curve.inverse_penalty if curve else choose_inverse_penalty(features, targets, seed=0)
    )
    weights, bias = fit_multinomial(features, targets, inverse_penalty=inverse_penalty)
    accuracy = curve.points[-1].mean if curve else None
    return LinearProbe(labels, weights, bias, encoder.identity, len(features), accuracy)


def _find_conflicts(rows: Iterable[tuple[ImageRow, int]]) -> tuple[tuple[Path, ...], ...]:
    """Groups of files with identical content in different classes; warns about them."""
    paths: defaultdict[str, list[Path]] = defaultdict(list)
    classes: defaultdict[str, set[int]] = defaultdict(set)
    for row, class_ in rows:
        paths[row.record.content_hash].append(row.record.path)
        classes[row.record.content_hash].add(class_)
    conflicts = tuple(tuple(paths[key]) for key in paths if len(classes[key]) > 1)
    if conflicts:
        log.warning(
            "%d images are in several class folders under different names, such as %s",
            len(conflicts),
            " and ".join(map(str, conflicts[0])),
        )
    return conflicts


def _check_class_sizes(
    labels: Sequence[str], targets: Sequence[int], failed: Sequence[Failure]
) -> None:
    """Raise UsageError if a class has fewer than two images."""
    counts = Counter(targets)
    small = [label for i, label in enumerate(labels) if counts[i] < 2]
    if small:
        reason = f"; {failed[0].path}: {failed[0].reason}" if failed else ""
        raise UsageError(
            f"fewer than two readable images of {name_some(small)}: a probe needs one to fit and "
            f"one to test{reason}"
        )
