"""`classify`: picture files among labels, without a collection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.classify.class_matrix import build_class_matrix
from clipsearch.classify.labels import check_labels
from clipsearch.classify.predictions import (
    Classification,
    Classifier,
    check_top_and_threshold,
    classify_rows,
)
from clipsearch.classify.templates import DEFAULT_TEMPLATES, resolve_templates
from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource
from clipsearch.files.embed import embed_files
from clipsearch.files.progress import Progress
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime
from clipsearch.types import Failure, ImageRow


@dataclass(frozen=True, slots=True)
class ClassifyReport:
    """The pictures that could be classified, by path, and the files that could not, with reasons."""

    images: tuple[Classification, ...]
    failed: tuple[Failure, ...] = ()


def classify_images(
    paths: Sequence[str | Path],
    labels: Sequence[str],
    *,
    templates: Sequence[str] = DEFAULT_TEMPLATES,
    model: str = "auto",
    runtime: Runtime | None = None,
    top: int | None = None,
    threshold: float = 0.0,
    progress: Progress | None = None,
) -> ClassifyReport:
    """Which of some labels fits each picture in files and folders; `Index.classify` for a collection.

    The probability of a label is the softmax, over all labels, of the model's own scale times the
    cosine between picture and label (Radford et al. 2021, section 3.1.2). `templates` are own ones
    ("a photo of a {}") and names of built-in sets; several are averaged. `top` keeps so many
    predictions of each picture. One whose best label has a probability below `threshold` gets the
    label None, for none of these.
    Raises UsageError on fewer than two labels, equal ones, a template without {}, a path that does
    not exist, or where there are no pictures; a file that cannot be read is in `failed`.
    """
    check_labels(labels)  # before a model is loaded, which may take a minute
    resolve_templates(templates)
    check_top_and_threshold(top=top, threshold=threshold)
    source = image_source(paths)
    encoder = registry.load(model, runtime)
    classes = build_class_matrix(labels, templates, model=encoder.identity, encoder=lambda: encoder)
    return classify_files(source, classes, encoder, top=top, threshold=threshold, progress=progress)


def image_source(paths: Sequence[str | Path]) -> FileSource:
    """The image files of some paths; raises UsageError if a path is missing or there are none."""
    if not paths:
        raise UsageError("nothing to classify: give folders or files")
    source = FileSource(paths)
    source.require_any()
    return source


def classify_files(
    source: FileSource,
    classifier: Classifier,
    encoder: Encoder,
    *,
    top: int | None = None,
    threshold: float = 0.0,
    progress: Progress | None = None,
) -> ClassifyReport:
    """The pictures in files and folders by any classifier of vectors that `encoder` makes."""
    failed: list[Failure] = []

    def rows() -> Iterable[ImageRow]:
        for item in embed_files(source, encoder, progress=progress):
            if isinstance(item, Failure):
                failed.append(item)
            else:
                yield item

    found = classify_rows(rows(), classifier, top=top, threshold=threshold)
    images = sorted(found, key=lambda one: one.record.path)
    return ClassifyReport(tuple(images), tuple(sorted(failed, key=lambda one: one.path)))
