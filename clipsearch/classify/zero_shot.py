"""Zero-shot classification of image files by label names, without a collection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch import arguments
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
    """The classified images and the files that failed, both sorted by path."""

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
    """Classify the images in files and folders by label names.

    `Index.classify` does the same for a collection. The probability of a label is the softmax, over
    all labels, of the model's logit scale times the cosine between image and label (Radford et al.
    2021, section 3.1.2).

    - `templates`: sentences ("a photo of a {}") and names of built-in sets, which are averaged.
    - `top`: how many predictions to return for each image (None: all).
    - `threshold`: an image whose best label is less probable gets the label None.

    A file that cannot be read is in `failed`. Raises UsageError on fewer than two labels, equal
    labels, a template without {}, a missing path, or if there are no images.
    """
    labels = check_labels(labels)  # before the model is loaded, which may take a minute
    resolve_templates(templates)
    check_top_and_threshold(top=top, threshold=threshold)
    source = image_source(paths)
    encoder = registry.load(model, runtime)
    classes = build_class_matrix(labels, templates, model=encoder.identity, encoder=lambda: encoder)
    return classify_files(source, classes, encoder, top=top, threshold=threshold, progress=progress)


def image_source(paths: Sequence[str | Path]) -> FileSource:
    """The image files of some paths; raises UsageError if a path is missing or there are none."""
    given = arguments.paths("paths", paths)
    if not given:
        raise UsageError("nothing to classify: give folders or files")
    source = FileSource(given)
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
    """Classify image files with any classifier for the vectors of `encoder`."""
    failed: list[Failure] = []

    def rows() -> Iterable[ImageRow]:
        for item in embed_files(source, encoder, progress=progress):
            if isinstance(item, Failure):
                failed.append(item)
            else:
                yield item

    classifications = classify_rows(rows(), classifier, top=top, threshold=threshold)
    images = sorted(classifications, key=lambda image: image.record.path)
    return ClassifyReport(tuple(images), tuple(sorted(failed, key=lambda failure: failure.path)))
