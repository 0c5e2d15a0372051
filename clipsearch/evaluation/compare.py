"""Evaluate several models on the same data, for one table and one chart."""

from collections.abc import Callable, Sequence
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.evaluation.embeddings import load_encoder
from clipsearch.evaluation.results import Evaluation
from clipsearch.evaluation.retrieval import evaluate_retrieval
from clipsearch.evaluation.zero_shot import evaluate_zero_shot
from clipsearch.files.progress import Progress
from clipsearch.models import registry
from clipsearch.models.base import Encoder
from clipsearch.models.runtime import Runtime


def compare_models(
    models: Sequence[str | Encoder],
    *,
    captions: str | Path | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    classes: str | Path | None = None,
    per_class: int | None = None,
    runtime: Runtime | None = None,
    progress: Callable[[str], Progress | None] | None = None,
) -> list[Evaluation]:
    """Evaluate each model by retrieval on captions, by zero-shot on class folders, or by both.

    Returns one Evaluation a model, in order, with the measures of both if both are given. One model
    is in memory at a time. `progress` is called with a name before each part and returns a bar.
    Raises UsageError if there is no data, if fewer than two models are given or one is given twice,
    and as `evaluate_retrieval` and `evaluate_zero_shot` do.
    """
    if captions is None and classes is None:
        raise UsageError("nothing to compare on: give a caption file, a folder of classes, or both")
    names = [registry.parse_model_name(model).name for model in models if isinstance(model, str)]
    if len(models) < 2 or len(set(names)) < len(names):
        raise UsageError("give two or more different models to compare")
    bar = progress or (lambda _: None)
    evaluations = []
    for model in models:
        encoder = load_encoder(model, runtime=runtime)
        name, parts = encoder.identity.name, []
        if captions is not None:
            retrieval = evaluate_retrieval(
                captions,
                model=encoder,
                images=images,
                split=split,
                limit=limit,
                progress=bar(f"{name}: retrieval"),
            )
            parts.append(retrieval)
        if classes is not None:
            zero_shot = evaluate_zero_shot(
                classes, model=encoder, per_class=per_class, progress=bar(f"{name}: zeroshot")
            )
            parts.append(zero_shot)
        evaluations.append(_merge(parts))
    return evaluations


def _merge(parts: Sequence[Evaluation]) -> Evaluation:
    return Evaluation(
        kind=" + ".join(part.kind for part in parts),
        model=parts[0].model,
        counts={
            name if len(parts) == 1 else f"{name} ({part.kind})": count
            for part in parts
            for name, count in part.counts.items()
        },
        measures=tuple(measure for part in parts for measure in part.measures),
        skipped=tuple(failure for part in parts for failure in part.skipped),
        seconds=sum(part.seconds for part in parts),
    )
