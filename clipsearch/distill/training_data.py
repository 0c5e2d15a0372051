"""From pictures and texts to what a tower is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipsearch.distill.config import Recipe, is_held_out
from clipsearch.distill.image_dataset import ImageDataset
from clipsearch.distill.student import Student
from clipsearch.distill.text_dataset import Texts
from clipsearch.distill.training_loop import Lessons, Places


@dataclass(frozen=True, slots=True)
class _Pixels:
    """Pictures as the student's tower takes them: (k, 3, H, W) float32."""

    shown: ImageDataset
    factor: torch.Tensor
    offset: torch.Tensor

    def __call__(
        self, places: Places, mirrored: NDArray[np.bool_], device: torch.device
    ) -> torch.Tensor:
        pixels = self.shown.pixels(places)
        pixels[mirrored] = pixels[mirrored][..., ::-1]
        bytes_ = torch.from_numpy(pixels).to(device)  # a quarter of the floats' way
        return bytes_.float() * self.factor.to(device) + self.offset.to(device)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Texts as the student's tower takes them: (k, context) int64."""

    tokens: torch.Tensor

    def __call__(
        self, places: Places, mirrored: NDArray[np.bool_], device: torch.device
    ) -> torch.Tensor:
        return self.tokens[torch.from_numpy(places)].to(device)


def of_images(shown: ImageDataset, student: Student, recipe: Recipe, scale: float) -> Lessons:
    """The image tower's."""
    levels: Any = np.array(student.preprocessing.levels, np.float32)  # (3, 256), on a line
    factor = (levels[:, 255] - levels[:, 0]) / np.float32(255)
    inputs = _Pixels(
        shown, *(torch.from_numpy(row[:, None, None].copy()) for row in (factor, levels[:, 0]))
    )
    held = _held(shown.hashes, recipe)
    return Lessons(
        "image", inputs, shown.vectors, np.flatnonzero(~held), np.flatnonzero(held), scale
    )


def of_texts(said: Texts, student: Student, recipe: Recipe, scale: float) -> Lessons:
    """The text tower's."""
    held = _held(said.hashes, recipe)
    inputs = _Tokens(student.tokens(said.lines))
    return Lessons(
        "text", inputs, said.vectors[None], np.flatnonzero(~held), np.flatnonzero(held), scale
    )


def _held(hashes: Sequence[str], recipe: Recipe) -> NDArray[np.bool_]:
    return np.array([is_held_out(each, recipe.held_out) for each in hashes], np.bool_)
