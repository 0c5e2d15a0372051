"""Calibration: everything that turns the scores of a model into probabilities."""

import base64
import io
import json
import zipfile
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clipsearch.calibration.features import TextBank, describe_images, hit_features
from clipsearch.calibration.moments import Moments
from clipsearch.calibration.network import Network
from clipsearch.models.base import ModelIdentity
from clipsearch.types import Vectors

FORMAT = 1
"""Raised when the features change: a calibration of another format is not used."""

HITS_AT_ONCE = 2_048


def single_thread() -> AbstractContextManager[object]:
    """Products within use one thread: those of a query are small, and threads wait for each other.

    On a busy machine, several threads took many times longer than one.
    """
    limit: AbstractContextManager[object] = _thread_pools().limit(limits=1)
    return limit


@cache
def _thread_pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class CalibrationFormatError(ValueError):
    """The bytes are not a calibration that this version can use."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration of one model; `source` says from what it was fitted, in a few words."""

    model: ModelIdentity
    source: str
    bank: TextBank
    meanings: Moments
    network: Network

    def probabilities(self, query: Vectors, images: Vectors, sample: Vectors) -> Vectors:
        """The probability (n,) float32 that each of (n, d) images is relevant to a (d,) query.

        `sample` (m,) are the query's cosines for a random sample of the collection.
        """
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(images), HITS_AT_ONCE):
            with single_thread():
                parts.append(self._of_part(query, images[start : start + HITS_AT_ONCE], sample))
        return np.concatenate(parts)

    def _of_part(self, query: Vectors, images: Vectors, sample: Vectors) -> Vectors:
        described = describe_images(images, self.bank)
        scores = images @ query
        return self.network(
            hit_features(query, scores, described, sample, self.bank, self.meanings)
        )

    def to_bytes(self) -> bytes:
        """A compressed file of arrays; texts are rounded to int8."""
        texts, steps = _round(self.bank.texts)
        arrays = {"about": np.array(json.dumps(self._about())), "texts": texts, "steps": steps}
        for name, moments in (("images", self.bank.images), ("meanings", self.meanings)):
            arrays |= {
                f"{name}.mean": moments.mean.astype(np.float32),
                f"{name}.factor": moments.factor.astype(np.float16),
                f"{name}.rest": np.array(moments.rest, dtype=np.float32),
            }
        arrays |= {
            f"network.{field.name}": getattr(self.network, field.name).astype(np.float32)
            for field in fields(Network)
        }
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; raise CalibrationFormatError on anything else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                about: dict[str, Any] = json.loads(str(file["about"]))
                if about["format"] != FORMAT:
                    raise CalibrationFormatError(
                        f"the calibration has format {about['format']}, not {FORMAT}"
                    )
                moments = {
                    name: Moments(
                        file[f"{name}.mean"],
                        file[f"{name}.factor"].astype(np.float32),
                        float(file[f"{name}.rest"]),
                    )
                    for name in ("images", "meanings")
                }
                return cls(
                    ModelIdentity(**about["model"]),
                    str(about["source"]),
                    TextBank(
                        tuple(about["words"]),
                        file["texts"] * file["steps"],
                        moments["images"],
                    ),
                    moments["meanings"],
                    Network(*(file[f"network.{field.name}"] for field in fields(Network))),
                )
        except (KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile, ValueError) as error:
            if isinstance(error, CalibrationFormatError):
                raise
            raise CalibrationFormatError(f"the calibration cannot be read: {error}") from error

    def _about(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "source": self.source,
            "model": asdict(self.model),
            "words": self.bank.words,
        }

    def to_text(self) -> str:
        """`to_bytes` as text, for the catalog."""
        return base64.b85encode(self.to_bytes()).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote; raise CalibrationFormatError on anything else."""
        try:
            data = base64.b85decode(text)
        except ValueError as error:
            raise CalibrationFormatError(f"the calibration cannot be read: {error}") from error
        return cls.from_bytes(data)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of `to_bytes`; raise CalibrationFormatError or OSError."""
        return cls.from_bytes(path.read_bytes())


def _round(texts: Vectors) -> tuple[NDArray[np.int8], Vectors]:
    """Int8 values of (b, d) texts, and their units (b, 1), with which they have length 1."""
    largest = np.abs(texts).max(axis=1, keepdims=True)
    rounded = np.round(127 * texts / largest)
    steps = 1 / np.linalg.norm(rounded, axis=1, keepdims=True)
    return rounded.astype(np.int8), steps.astype(np.float32)
