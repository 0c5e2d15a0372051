"""Several models on the same data, for one table and one plot."""

from collections.abc import Callable, Sequence
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.evaluation.embeddings import encoder_of
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
    """Each model's numbers on the same pictures: `retrieval` on captions, `zeroshot` on classes.

    One Evaluation a model, in order, with the measures of both where both are given. One model
    is in memory at a time. `progress` is asked for a bar before each part. Raises UsageError where
    there is nothing to compare, on a model named twice, and as the two do.
    """
    if captions is None and classes is None:
        raise UsageError("nothing to compare on: give a caption file, a folder of classes, or both")
    named = [registry.parse_model_name(model).name for model in models if isinstance(model, str)]
    if len(models) < 2 or len(set(named)) < len(named):
        raise UsageError("give two or more different models to compare")
    bar = progress or (lambda _: None)
    results = []
    for model in models:
        encoder = encoder_of(model, runtime=runtime)
        name, parts = encoder.identity.name, []
        if captions is not None:
            parts.append(
                evaluate_retrieval(
                    captions,
                    model=encoder,
                    images=images,
                    split=split,
                    limit=limit,
                    progress=bar(f"{name}: retrieval"),
                )
            )
        if classes is not None:
            parts.append(
                evaluate_zero_shot(
                    classes, model=encoder, per_class=per_class, progress=bar(f"{name}: zeroshot")
                )
            )
        results.append(_together(parts))
    return results


def _together(parts: Sequence[Evaluation]) -> Evaluation:
    return Evaluation(
        kind=" + ".join(part.kind for part in parts),
        model=parts[0].model,
        counts={
            name if len(parts) == 1 else f"{name} ({part.kind})": count
            for part in parts
            for name, count in part.counts.items()
        },
        measures=tuple(one for part in parts for one in part.measures),
        skipped=tuple(one for part in parts for one in part.skipped),
        seconds=sum(part.seconds for part in parts),
    )
