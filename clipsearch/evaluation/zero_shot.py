"""Zero-shot classification: how often the name of a picture's folder is the best label for it."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clipsearch.classify import check_labels, chosen_templates
from clipsearch.classify.class_folders import class_folders, readable_name
from clipsearch.classify.class_matrix import class_matrix
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.embeddings import embed_image_files, encoder_of, named
from clipsearch.evaluation.metrics import Indices, ranks_of
from clipsearch.evaluation.results import Evaluation, Measure, proportions
from clipsearch.files.discover import ImageFile
from clipsearch.files.progress import Progress
from clipsearch.files.text_lines import numbered_lines
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.types import Failure, Vectors

log = logging.getLogger("clipsearch")

AT = (1, 5)
SINGLE = "a photo of a {}"
ENSEMBLE = ("contexts",)
TOGETHER = 4096  # pictures held against all classes at once


def read_class_names(path: str | Path) -> dict[str, str]:
    """Read labels of class folders from a UTF-8 file, such as `n02123045 tabby cat`.

    Each line holds the name of a folder, spaces or a tab, and the label. Returns labels by folder
    name. Raises UsageError if the file cannot be read or a line has no label.
    """
    names = {}
    for number, line in numbered_lines(path):
        folder, *label = line.split(maxsplit=1)
        if not label:
            raise UsageError(
                f"{escape_control(str(path))}, line {number}: no label follows {folder!r}"
            )
        names[folder] = label[0]
    return names


def evaluate_zero_shot(
    folder: str | Path,
    *,
    model: str | Encoder = "auto",
    template: str = SINGLE,
    ensemble: Sequence[str] = ENSEMBLE,
    labels: Mapping[str, str] | None = None,
    per_class: int | None = None,
    runtime: Runtime | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Top-1 and top-5 accuracy on a folder of class folders, with one template and with an ensemble.

    The label of a class is its folder's name as words, or what `labels` has for it. `ensemble`
    holds templates and names of built-in sets (see `chosen_templates`). `per_class` takes only the
    first pictures of each class. Pictures that cannot be read are skipped with a warning. Raises
    UsageError on fewer than two classes, two of one label, and a template without {}.
    """
    if per_class is not None and per_class < 1:
        raise UsageError(f"the pictures of a class must be at least 1, not {per_class}")
    single, several = chosen_templates([template]), chosen_templates(ensemble)
    classes = class_folders(folder)
    names = check_labels([(labels or {}).get(name) or readable_name(name) for name in classes])
    files = [list(found)[:per_class] for found in classes.values()]
    paths = [one.path for found in files for one in found if isinstance(one, ImageFile)]
    owner = np.array(
        [n for n, found in enumerate(files) for one in found if isinstance(one, ImageFile)]
    )
    unread = [
        Failure(o.path, o.reason) for found in files for o in found if not isinstance(o, ImageFile)
    ]
    encoder = encoder_of(model, runtime=runtime)
    if progress is not None:
        progress.total = len(paths)
    started = time.monotonic()
    images = embed_image_files(paths, encoder, progress)
    skipped = (*unread, *images.skipped)
    if skipped:
        log.warning("%s pictures are left out: %s", f"{len(skipped):,}", named(skipped))
    right = owner[images.kept]

    def ranks(templates: Sequence[str]) -> Indices:
        matrix = class_matrix(names, templates, model=encoder.identity, encoder=lambda: encoder)
        return _ranks(images.vectors, matrix.vectors, right)

    return Evaluation(
        kind="zeroshot",
        model=encoder.identity.name,
        counts={"images": len(right), "classes": len(names), "templates": len(several)},
        measures=measures(ranks(single), ranks(several)),
        skipped=skipped,
        seconds=time.monotonic() - started,
    )


def measures(single: Indices, several: Indices) -> tuple[Measure, ...]:
    """All numbers, from the rank (n,) of each picture's own label without and with ensembling."""
    one, other = (np.stack([ranks <= k for k in AT], axis=1) for ranks in (single, several))
    names = [f"top-{k}" for k in AT]
    # The difference picture by picture: its interval is far narrower than those of the two.
    gain = bootstrap.means(other.astype(float) - one)
    return (
        *proportions("one template", names, bootstrap.means(one)),
        *proportions("ensemble", names, bootstrap.means(other)),
        *(
            Measure("gain of the ensemble", name, estimate, difference=True)
            for name, estimate in zip(names, gain, strict=True)
        ),
    )


def _ranks(vectors: Vectors, classes: Vectors, right: Indices) -> Indices:
    parts = [slice(start, start + TOGETHER) for start in range(0, len(vectors), TOGETHER)]
    return np.concatenate([ranks_of(vectors[part] @ classes.T, right[part]) for part in parts])
