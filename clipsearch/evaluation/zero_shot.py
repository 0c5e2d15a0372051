"""Zero-shot classification: how often an image's folder name is its best label."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clipsearch.classify import check_labels, resolve_templates
from clipsearch.classify.class_folders import find_class_folders, readable_name
from clipsearch.classify.class_matrix import build_class_matrix
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.embeddings import embed_image_files, load_encoder, warn_skipped
from clipsearch.evaluation.metrics import Indices, rank_targets
from clipsearch.evaluation.results import Evaluation, Measure, share_measures
from clipsearch.files.discover import ImageFile
from clipsearch.files.progress import Progress
from clipsearch.files.text_lines import numbered_lines
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.types import Failure, Vectors

ACCURACY_LENGTHS = (1, 5)
SINGLE = "a photo of a {}"
ENSEMBLE = ("contexts",)
IMAGE_BATCH = 4096
"""Images that are compared with all classes at once."""


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
    """Measure top-1 and top-5 accuracy on class folders, with one template and an ensemble.

    The label of a class is the name of its folder as words, or its value in `labels`. `ensemble`
    holds templates and names of built-in sets (see `resolve_templates`). `per_class` takes only the
    first images of each class. Images that cannot be read are skipped with a warning. Raises
    UsageError on fewer than two classes, two classes with one label, an image in two classes, and
    a template without {}.
    """
    if per_class is not None and per_class < 1:
        raise UsageError(f"the images of a class must be at least 1, not {per_class}")
    single_template, ensemble_templates = resolve_templates([template]), resolve_templates(ensemble)
    classes = find_class_folders(folder)
    names = check_labels([(labels or {}).get(name) or readable_name(name) for name in classes])
    paths: list[Path] = []
    class_of: list[int] = []
    unreadable: list[Failure] = []
    for number, files in enumerate(classes.values()):
        for file in files[:per_class]:
            if isinstance(file, ImageFile):
                paths.append(file.path)
                class_of.append(number)
            else:
                unreadable.append(file)
    encoder = load_encoder(model, runtime=runtime)
    if progress is not None:
        progress.total = len(paths)
    started = time.monotonic()
    images = embed_image_files(paths, encoder, progress)
    skipped = (*unreadable, *images.skipped)
    warn_skipped(skipped, len(paths) + len(unreadable))
    true_classes = np.array(class_of)[images.indices]

    def ranks(templates: Sequence[str]) -> Indices:
        matrix = build_class_matrix(
            names, templates, model=encoder.identity, encoder=lambda: encoder
        )
        return _rank_classes(images.vectors, matrix.vectors, true_classes)

    return Evaluation(
        kind="zeroshot",
        model=encoder.identity.name,
        counts={
            "images": len(true_classes),
            "classes": len(names),
            "templates": len(ensemble_templates),
        },
        measures=accuracy_measures(ranks(single_template), ranks(ensemble_templates)),
        skipped=skipped,
        seconds=time.monotonic() - started,
    )


def accuracy_measures(single_ranks: Indices, ensemble_ranks: Indices) -> tuple[Measure, ...]:
    """Compute all measures from the rank (n,) of each image's own label, by both templates."""
    single, ensemble = (
        np.stack([ranks <= k for k in ACCURACY_LENGTHS], axis=1)
        for ranks in (single_ranks, ensemble_ranks)
    )
    names = [f"top-{k}" for k in ACCURACY_LENGTHS]
    # The difference is taken image by image: its interval is far narrower than those of the two.
    gains = bootstrap.estimate_means(ensemble.astype(float) - single)
    return (
        *share_measures("one template", names, bootstrap.estimate_means(single)),
        *share_measures("ensemble", names, bootstrap.estimate_means(ensemble)),
        *(
            Measure("gain of the ensemble", name, gain, is_difference=True)
            for name, gain in zip(names, gains, strict=True)
        ),
    )


def _rank_classes(vectors: Vectors, classes: Vectors, true_classes: Indices) -> Indices:
    parts = [slice(start, start + IMAGE_BATCH) for start in range(0, len(vectors), IMAGE_BATCH)]
    return np.concatenate(
        [rank_targets(vectors[part] @ classes.T, true_classes[part]) for part in parts]
    )
