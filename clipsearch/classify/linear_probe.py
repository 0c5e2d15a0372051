"""A linear probe: a classifier fitted to labeled images of one model, and its file format."""

import base64
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.cache import atomic_write
from clipsearch.classify.predictions import softmax
from clipsearch.errors import ModelMismatchError, UsageError, write_error
from clipsearch.files.paths import expand_user
from clipsearch.models.base import ModelIdentity
from clipsearch.types import Vectors

FORMAT = "clipsearch linear probe 2"


@dataclass(frozen=True, slots=True, eq=False)
class LinearProbe:
    """A classifier for vectors of `model`: (k, d) `weights` and (k,) `bias`, float32.

    `images` is the number of images that it was fitted to. `accuracy`, 0..1, was measured on
    held-out images; None if it was not measured.
    """

    labels: tuple[str, ...]
    weights: Vectors
    bias: Vectors
    model: ModelIdentity
    images: int
    accuracy: float | None = None

    def probabilities(self, vectors: Vectors) -> Vectors:
        """(n, d) float32 rows of length 1 to (n, k): softmax of weights × vector + bias."""
        return softmax((vectors @ self.weights.T).astype(np.float64) + self.bias)

    def check_model(self, model: ModelIdentity) -> None:
        """Raise ModelMismatchError unless the probe was fitted to vectors of this model."""
        if not self.model.is_comparable(model):
            is_same_name = model.name == self.model.name
            other = "other weights or preprocessing of it" if is_same_name else model.name
            raise ModelMismatchError(
                f"the probe was fitted to vectors of {self.model.name} and cannot classify those "
                f"of {other}: fit another one with `clipsearch probe fit … --model {model.name}`"
            )

    def to_json(self) -> dict[str, Any]:
        """Return all fields as JSON; the arrays are base64 of little-endian float32."""
        return asdict(self) | {"weights": _encode(self.weights), "bias": _encode(self.bias)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LinearProbe":
        """Return the probe that `to_json` wrote; raise UsageError on anything else."""
        try:
            labels, model = tuple(map(str, values["labels"])), ModelIdentity(**values["model"])
            weights = _decode(values["weights"]).reshape(len(labels), model.dim)
            bias = _decode(values["bias"]).reshape(len(labels))
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"this is not a linear probe: {error}") from error
        if not labels or not (np.all(np.isfinite(weights)) and np.all(np.isfinite(bias))):
            raise UsageError("this is not a linear probe: it has no labels, or numbers not finite")
        return cls(labels, weights, bias, model, values["images"], values.get("accuracy"))

    def save(self, path: str | Path) -> None:
        """Write the probe atomically as an `.npz` file without pickled objects.

        Raises UsageError if the file cannot be written, OutputError if the disk is full.
        """
        path = expand_user(Path(path))
        facts = {
            "format": FORMAT,
            "labels": self.labels,
            "model": asdict(self.model),
            "images": self.images,
            "accuracy": self.accuracy,
        }
        try:
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                np.savez(
                    file, weights=self.weights, bias=self.bias, facts=np.array(json.dumps(facts))
                )
        except OSError as error:
            raise write_error(path, error) from error

    @classmethod
    def load(cls, path: str | Path) -> "LinearProbe":
        """Read a file written by `save`; raises UsageError if it is missing or invalid."""
        path = expand_user(Path(path))
        try:
            with np.load(path, allow_pickle=False) as stored:
                weights, bias = stored["weights"], stored["bias"]
                facts = json.loads(str(stored["facts"]))
            if facts["format"] != FORMAT:
                raise ValueError(f"its format is {facts['format']!r}")
            labels, model = tuple(map(str, facts["labels"])), ModelIdentity(**facts["model"])
            if weights.shape != (len(labels), model.dim) or bias.shape != (len(labels),):
                raise ValueError("the shapes of its arrays do not match its labels and model")
            if not (np.all(np.isfinite(weights)) and np.all(np.isfinite(bias))):
                raise ValueError("it holds numbers that are not finite")
            return cls(
                labels,
                weights.astype(np.float32),
                bias.astype(np.float32),
                model,
                int(facts["images"]),
                None if facts["accuracy"] is None else float(facts["accuracy"]),
            )
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
            raise UsageError(
                f"the probe {path} cannot be read: {(error.strerror or str(error)).lower()}"
            ) from error
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
            EOFError,
            AttributeError,
            zipfile.BadZipFile,
        ) as error:
            raise UsageError(
                f"{path} is not a probe, or is damaged ({error}): "
                "write one with `clipsearch probe fit`"
            ) from error


def _encode(array: Vectors) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


def _decode(text: str) -> Vectors:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
