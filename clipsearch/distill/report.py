"""What a distillation returns."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clipsearch.evaluation.results import Evaluation
from clipsearch.types import Failure


@dataclass(frozen=True, slots=True)
class Epoch:
    """How a tower stood after an epoch, on examples held out; number 0 is the untrained one.

    `tower` is "image" or "text". `loss` is the mean over the epoch's batches, None at 0; `cosine`
    the mean to the teacher's vectors; `agreement` the mAP@10-20 of `clipsearch eval agreement`
    (over at most 1,000 examples). The latter two are None where too few are held out.
    """

    tower: str
    number: int
    loss: float | None
    cosine: float | None
    agreement: float | None


@dataclass(frozen=True, slots=True)
class DistillReport:
    """A finished student.

    `folder` is for `local-dir:`; `trained` and `held_out` count pictures; `parameters` are those of
    the image tower, `text_parameters` of a text tower that was distilled too, else None; `sizes` are
    bytes by file name; `agreement` is `evaluate.agreement` against the teacher on the pictures held
    out, None where they are too few; `seconds` the whole time.
    """

    folder: Path
    teacher: str
    trained: int
    held_out: int
    skipped: tuple[Failure, ...]
    parameters: int
    text_parameters: int | None
    sizes: Mapping[str, int]
    history: tuple[Epoch, ...]
    agreement: Evaluation | None
    seconds: float

    @property
    def model(self) -> str:
        """Its name for `--model`."""
        return f"local-dir:{self.folder}"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
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
            "skipped": [{"path": str(s.path), "reason": s.reason} for s in self.skipped],
        }
