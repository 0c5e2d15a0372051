"""`probe fit`: from a folder of class folders to a probe and its curve."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch.classify.class_folders import find_class_folders, readable_name
from clipsearch.classify.class_matrix import ClassMatrix, build_class_matrix
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
from clipsearch.types import Failure, Vectors

SHOWN = 5


@dataclass(frozen=True, slots=True)
class ProbeFit:
    """A probe, what was measured on the way (None if nothing), and the files that failed."""

    probe: LinearProbe
    curve: LearningCurve | None
    failed: tuple[Failure, ...]


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
    """Fit a logistic regression on the vectors of the pictures in a folder of class folders.

    The penalty is chosen by cross-validation. With `seeds` (0 for none) a curve is measured first:
    the accuracy on held-out pictures after `shots` pictures of each class, and after all, beside
    the zero-shot classifier of the folders' names in `templates`; the probe itself is then fitted
    on all pictures. Raises UsageError on fewer than two classes or two readable pictures in each.
    """
    if seeds:
        check_shots_and_seeds(shots, seeds)
    resolve_templates(templates)
    classes = find_class_folders(folder)
    labels = tuple(classes)
    class_of = {item.path: place for place, name in enumerate(labels) for item in classes[name]}
    _require_pairs(labels, [place for place, n in enumerate(classes) for _ in classes[n]], [])
    encoder = registry.load(model, runtime)
    vectors, targets, failed = [], [], []
    files = [item for name in labels for item in classes[name]]
    if progress is not None:
        progress.total = len(files)
    for row in embed_files(files, encoder, progress=progress):
        if isinstance(row, Failure):
            failed.append(row)
        else:
            vectors.append(row.embedding)
            targets.append(class_of[row.record.path])
    _require_pairs(labels, targets, failed)
    features, target = np.stack(vectors), np.array(targets, dtype=np.intp)
    curve = None
    if seeds:
        zero_shot = _zero_shot(labels, templates, encoder)
        curve = measure_learning_curve(
            features, target, shots=shots, seeds=seeds, zero_shot=zero_shot
        )
    return ProbeFit(_probe(labels, features, target, encoder, curve), curve, tuple(failed))


def _zero_shot(
    labels: Sequence[str], templates: Sequence[str], encoder: Encoder
) -> ClassMatrix | None:
    names = [readable_name(label) for label in labels]
    if len(set(names)) < len(names):  # a_b and "a b": nothing that a text could tell apart
        names = list(labels)
    return build_class_matrix(names, templates, model=encoder.identity, encoder=lambda: encoder)


def _probe(
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


def _require_pairs(
    labels: Sequence[str], targets: Sequence[int], failed: Sequence[Failure]
) -> None:
    counts = Counter(targets)
    poor = [label for place, label in enumerate(labels) if counts[place] < 2]
    if poor:
        more = f" and {len(poor) - SHOWN} more" if len(poor) > SHOWN else ""
        reason = f"; {failed[0].path}: {failed[0].reason}" if failed else ""
        raise UsageError(
            f"fewer than two readable pictures of {', '.join(map(repr, poor[:SHOWN]))}{more}: a probe "
            f"needs one to learn from and one to test with{reason}"
        )
