"""The textness probe of a model: its direction, calibration, accuracy and file format."""

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from clipsearch.cache import atomic_write
from clipsearch.errors import ModelMismatchError, UsageError, VectorError, write_error
from clipsearch.models.base import ModelIdentity
from clipsearch.types import Vectors

VERSION = 1
_NUMBERS = ("threshold", "slope", "accuracy", "auc")


@dataclass(frozen=True, slots=True, eq=False)
class TextnessProbe:
    """A linear probe for text in images, of one model.

    `bias`, (d,) float32, points from images without text to images with text: the row 'with text'
    minus the row 'without' of an `nn.Linear(d, 2)`. Its length gives a scale the same meaning for
    every model, see `fit_vectors`. An image `v` of length 1 counts as one with text if `v @ bias`
    exceeds `threshold`; `slope` turns the distance from the threshold into `score`.

    `accuracy` and `auc` (0..1) were measured on held-out images by cross-validation. `with_text`
    and `without_text` count the images of the fit. `created_at` is its time, ISO in UTC.
    """

    bias: Vectors
    threshold: float
    slope: float
    accuracy: float
    auc: float
    with_text: int
    without_text: int
    model: ModelIdentity
    created_at: str

    def score(self, vectors: Vectors) -> Vectors:
        """How much text images show, 0..1: (n,) float32 for (n, d) float32 of length 1.

        It is the probability of text if half of the images have some. Raises VectorError if the
        dimension differs.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.bias):
            raise VectorError(
                f"a textness probe of {len(self.bias)} dimensions cannot score vectors of shape "
                f"{vectors.shape}: they come from different models"
            )
        distances = vectors.astype(np.float64) @ self.bias.astype(np.float64) - self.threshold
        return (0.5 + 0.5 * np.tanh(self.slope / 2 * distances)).astype(np.float32)

    def check_model(self, model: ModelIdentity) -> None:
        """Raise ModelMismatchError unless the probe was fitted to this model."""
        if self.model.is_comparable(model) and len(self.bias) == model.dim:
            return
        raise ModelMismatchError(
            f"this textness probe was fitted to {self.model.name} ({len(self.bias)} dimensions, "
            f"weights {self.model.weights[:12]}) and cannot be used with {model.name} ({model.dim} "
            f"dimensions, weights {model.weights[:12]}): fit one with `clipsearch textness fit`"
        )

    def save(self, path: Path | str) -> None:
        """Write the probe atomically as a JSON file.

        Raises UsageError if the file cannot be written, OutputError if the disk is full.
        """
        path = Path(path)
        try:
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps(self.as_json(), indent=2) + "\n", "utf-8")
        except OSError as error:
            raise write_error(path, error) from error

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a file written by `save`; raises UsageError if it is missing or invalid."""
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{path} is not a textness file of this version of clipsearch: {error}"
            ) from error

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON values; the bias as base64 of little-endian float32."""
        values = asdict(self) | {"version": VERSION}
        values["bias"] = base64.b64encode(self.bias.astype("<f4").tobytes()).decode("ascii")
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build a probe from `as_json`; raises ValueError, KeyError or TypeError if invalid."""
        if values["version"] != VERSION:
            raise ValueError(f"its version is {values['version']!r}, not {VERSION}")
        data = base64.b64decode(values["bias"], validate=True)
        bias = np.frombuffer(data, dtype="<f4").astype(np.float32)
        model = ModelIdentity(**values["model"])
        numbers = {name: float(values[name]) for name in _NUMBERS}
        if len(bias) != model.dim or not np.all(np.isfinite(bias)) or not np.any(bias):
            raise ValueError(f"its direction has {len(bias)} usable numbers, not {model.dim}")
        if not all(map(math.isfinite, numbers.values())):
            raise ValueError("it has a number that is not finite")
        return cls(
            bias=bias,
            with_text=int(values["with_text"]),
            without_text=int(values["without_text"]),
            model=model,
            created_at=str(values["created_at"]),
            **numbers,
        )


@dataclass(frozen=True, slots=True, eq=False)
class TextnessFit:
    """A new probe, and the embeddings that its accuracy was measured on.

    They are (n, d) of images with text and (m, d) of images without, of length 1.
    """

    probe: TextnessProbe
    with_text: Vectors
    without_text: Vectors

    def accuracy_of(self, other: TextnessProbe) -> float:
        """The balanced accuracy, 0..1, of another probe of this model on the same images."""
        found = (other.score(self.with_text) > 0.5).mean()
        passed = (other.score(self.without_text) <= 0.5).mean()
        return float((found + passed) / 2)
