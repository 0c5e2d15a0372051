"""`probe apply`: classify image files with a linear probe."""

from collections.abc import Sequence
from pathlib import Path

from clipsearch.classify.linear_probe import LinearProbe
from clipsearch.classify.predictions import check_top_and_threshold
from clipsearch.classify.zero_shot import ClassifyReport, classify_files, image_source
from clipsearch.files.progress import Progress
from clipsearch.models import registry
from clipsearch.models.runtime import Runtime


def apply_linear_probe(
    probe: LinearProbe | str | Path,
    paths: Sequence[str | Path],
    *,
    runtime: Runtime | None = None,
    top: int | None = None,
    threshold: float = 0.0,
    progress: Progress | None = None,
) -> ClassifyReport:
    """Classify image files and folders with a probe or a probe file, and the probe's model.

    `top` and `threshold` work as in `classify_images`. `Index.classify` does the same for a
    collection. Raises UsageError if the probe file is invalid or a path is missing,
    ModelMismatchError if the model of that name has other weights than the probe was fitted to.
    """
    probe = probe if isinstance(probe, LinearProbe) else LinearProbe.load(probe)
    check_top_and_threshold(top=top, threshold=threshold)
    source = image_source(paths)
    encoder = registry.load(probe.model.name, runtime)
    probe.check_model(encoder.identity)
    return classify_files(source, probe, encoder, top=top, threshold=threshold, progress=progress)
