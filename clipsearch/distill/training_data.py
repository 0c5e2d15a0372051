"""The training data of a tower: its input, the teacher's vectors, and the held-out split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from clipsearch.distill.config import TrainingConfig, is_held_out
from clipsearch.distill.image_dataset import ImageDataset
from clipsearch.distill.student import Student
from clipsearch.distill.text_dataset import TextDataset
from clipsearch.evaluation.metrics import Indices
from clipsearch.types import Vectors

LoadInput: TypeAlias = Callable[[Indices, NDArray[np.bool_], torch.device], torch.Tensor]
"""Loads a tower's input for k examples, each mirrored or not, on a device."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What one tower ("image" or "text") is trained on.

    `vectors` (1 or 2, n, d) are the teacher's, of the examples and of their mirrored twins, if they
    have any. `train_indices` and `held_out_indices` split the n examples. `logit_scale` is the
    teacher's scale of cosines.
    """

    tower: str
    load_input: LoadInput
    vectors: Vectors
    train_indices: Indices
    held_out_indices: Indices
    logit_scale: float


@dataclass(frozen=True, slots=True)
class _PixelInput:
    """Loads images as the tower's input: (k, 3, H, W) float32."""

    dataset: ImageDataset
    factor: torch.Tensor
    offset: torch.Tensor

    def __call__(
        self, indices: Indices, is_mirrored: NDArray[np.bool_], device: torch.device
    ) -> torch.Tensor:
        pixels = self.dataset.pixels(indices)
        pixels[is_mirrored] = pixels[is_mirrored][..., ::-1]
        on_device = torch.from_numpy(pixels).to(device)  # as bytes, a quarter of the floats' size
        return on_device.float() * self.factor.to(device) + self.offset.to(device)


@dataclass(frozen=True, slots=True)
class _TokenInput:
    """Loads texts as the tower's input: (k, context) int64."""

    tokens: torch.Tensor

    def __call__(
        self, indices: Indices, is_mirrored: NDArray[np.bool_], device: torch.device
    ) -> torch.Tensor:
        return self.tokens[torch.from_numpy(indices)].to(device)


def image_training_data(
    dataset: ImageDataset, student: Student, config: TrainingConfig, logit_scale: float
) -> TrainingData:
    """Make the training data of the image tower."""
    levels: Any = np.array(student.preprocessing.levels, np.float32)  # (3, 256), linear
    factor = (levels[:, 255] - levels[:, 0]) / np.float32(255)
    load_input = _PixelInput(
        dataset, *(torch.from_numpy(row[:, None, None].copy()) for row in (factor, levels[:, 0]))
    )
    split = _split(dataset.hashes, config.held_out)
    return TrainingData("image", load_input, dataset.vectors, *split, logit_scale)


def text_training_data(
    dataset: TextDataset, student: Student, config: TrainingConfig, logit_scale: float
) -> TrainingData:
    """Make the training data of the text tower."""
    load_input = _TokenInput(student.tokenize(dataset.texts))
    split = _split(dataset.hashes, config.held_out)
    return TrainingData("text", load_input, dataset.vectors[None], *split, logit_scale)


def _split(hashes: Sequence[str], share: float) -> tuple[Indices, Indices]:
    """The indices of the examples to train on, and of the held-out ones."""
    held_out = np.array([is_held_out(content_hash, share) for content_hash in hashes], np.bool_)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
