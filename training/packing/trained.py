"""Towers and reading heads that were trained here, as torch modules."""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.features import AllFeatures
from training.data.sources import fingerprint
from training.data.views import whole_images
from training.heads.fusion import TextProjection
from training.heads.model import Places, place_features
from training.image_tower.efficientnet import EfficientNetLite
from training.image_tower.light_stem import load_tower
from training.packing import export
from training.packing.pack import QueryOutput
from training.reading.model import (
    ReadingImageHead,
    ReadingNetwork,
    ReadingPooling,
    ReadingTextHead,
    WordEncoder,
)
from training.text_tower.minilm import MiniLM, load_tuned


class ImageTrunk(nn.Module):
    """uint8 (n, 224, 224, 3) RGB → input of ImageOutput: places of every fit, pooled, reading."""

    def __init__(
        self, tower: EfficientNetLite, parts: Sequence[Places], reading: ReadingImageHead
    ) -> None:
        super().__init__()
        self.tower, self.parts, self.reading = tower, nn.ModuleList(parts), reading

    def forward(self, pixels: Tensor) -> Tensor:
        places, pooled, taps = place_features(self.tower, pixels)
        read = self.reading(taps.second, taps.third)
        return torch.cat([*(part(places) for part in self.parts), pooled, read], 1)


class TextOutput(nn.Module):
    """Token ids and mask (n, length), letters and shares of the query → (n, dim) of length 1."""

    def __init__(self, tower: MiniLM, reading: ReadingTextHead, end: QueryOutput) -> None:
        super().__init__()
        self.tower, self.reading, self.end = tower, reading, end

    def forward(self, ids: Tensor, mask: Tensor, letters: Tensor, shares: Tensor) -> Tensor:
        out: Tensor = self.end(self.tower(ids, mask), self.reading(letters, shares))
        return out


@dataclass(frozen=True, slots=True)
class TrainedTowers:
    """`pack.TowerGraphs` of torch modules.

    The image tower is quantized to int8, calibrated on `images` (n, 224, 224, 3). The parts for
    places and reading are not: they are small, and reading would lose accuracy.
    """

    vision: EfficientNetLite
    language: MiniLM
    tokenizer: bytes
    reading: ReadingImageHead
    query: ReadingTextHead
    images: NDArray[np.uint8]

    @classmethod
    def load(
        cls, tower: Path, language: Path, reading: Path, tokenizer: bytes, images: Sequence[Path]
    ) -> "TrainedTowers":
        """Load the outputs of the three builds; `images` are files."""
        heads = load_reading_heads(reading, tower)
        return cls(load_tower(tower), load_tuned(language), tokenizer, *heads, whole_images(images))

    def image_features(self) -> Any:
        return export.image_graph(AllFeatures(self.vision))

    def sentences(self) -> Any:
        return export.text_graph(self.language)

    def image(self, parts: Sequence[Places]) -> Any:
        trunk = export.image_graph(ImageTrunk(self.vision, parts, self.reading))
        return export.compute_in_int8(trunk, self.images, but=("parts", "reading"))

    def text(self, end: TextProjection) -> Any:
        output = TextOutput(self.language, self.query, QueryOutput(end))
        return export.text_graph(output, reading=True)


def load_reading_heads(path: Path, tower: Path) -> tuple[ReadingImageHead, ReadingTextHead]:
    """Load both reading heads; raise UsageError if they belong to another tower."""
    saved = torch.load(path, weights_only=True)
    if saved["tower"] != fingerprint(tower):
        raise click.UsageError(
            f"{path} was trained on another tower than {tower}: run training.reading.build again"
        )
    parts = nn.ModuleDict(
        {"reader": ReadingNetwork(), "summary": ReadingPooling(), "speller": WordEncoder()}
    )
    parts.load_state_dict(saved["model"], strict=False)
    parts.eval().requires_grad_(requires_grad=False)
    return ReadingImageHead(parts["reader"], parts["summary"]), ReadingTextHead(parts["speller"])
