"""DistillReport: the result of a distillation, with its evaluation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clipsearch.evaluation.results import Evaluation
from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """The metrics of a tower on held-out examples after an epoch; epoch 0 is untrained.

    `tower` is "image" or "text". `loss` is the mean over the epoch's batches, None for epoch 0.
    `cosine` is the mean cosine with the teacher's vectors. `agreement` is the mAP@10-20 of
    `clipsearch eval agreement` on at most 1,000 examples. Both are None if too few are held out.
    """

    tower: str
    number: int
    loss: float | None
    cosine: float | None
    agreement: float | None


@dataclass(frozen=True, slots=True)
class DistillReport:
    """A finished student.

    `trained` and `held_out` count images. `parameters` counts those of the image tower;
    `text_parameters` those of the text tower, None if it was not distilled. `sizes` are bytes by
    file name. `agreement` is the result of `evaluate_agreement` against the teacher on the held-out
    images, None if they are too few. `seconds` is the whole time.
    """

    folder: Path
    teacher: str
    trained: int
    held_out: int
    skipped: tuple[Failure, ...]
    parameters: int
    text_parameters: int | None
    sizes: Mapping[str, int]
    history: tuple[EpochMetrics, ...]
    agreement: Evaluation | None
    seconds: float

    @property
    def model(self) -> str:
        """The name of the student for `--model`."""
        return f"local-dir:{self.folder}"

    def as_json(self) -> dict[str, Any]:
        """JSON-serializable values."""
        return {
            "model": self.model,
            "teacher": self.teacher,
            "trained": self.trained,
            "held_out": self.held_out,
            "parameters": self.parameters,
            "text_parameters": self.text_parameters,
            "sizes": dict(self.sizes),
            "history": [asdict(epoch) for epoch in self.history],
            "agreement": self.agreement.as_json() if self.agreement else None,
            "seconds": round(self.seconds, 1),
            "skipped": [
                {"path": str(failure.path), "reason": failure.reason} for failure in self.skipped
            ],
        }
