"""`probe apply`: picture files by a trained probe."""

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
    """Classify picture files and folders by a probe, or the file of one, with the probe's model.

    `Index.classify` takes a probe too. `top` and `threshold` as in `classify`. Raises UsageError on
    a file that is no probe and on a missing path; ModelMismatchError where the model of that name
    has other weights than the probe was fitted on.
    """
    probe = probe if isinstance(probe, LinearProbe) else LinearProbe.load(probe)
    check_top_and_threshold(top=top, threshold=threshold)
    source = image_source(paths)
    encoder = registry.load(probe.model.name, runtime)
    probe.check_model(encoder.identity)
    return classify_files(source, probe, encoder, top=top, threshold=threshold, progress=progress)
