"""Assemble the trained parts into graphs and write the released files."""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from training.heads.fusion import ImageProjection, TextProjection
from training.heads.model import QUERIES, SENTENCE, Places, place_features
from training.heads.train import Heads
from training.image_tower.efficientnet import HEAD, EfficientNetLite
from training.packing import export
from training.reading.model import DIM, ReadingImageHead, ReadingTextHead
from training.text_tower.minilm import MiniLM

READING_DIM = DIM + 1  # components of a vector that represent text in an image
IMAGE_WEIGHT, TEXT_WEIGHT = 0.5, 6.0  # of these components, in images and in queries for words
ANY_TEXT_WEIGHT = 0.3  # of "any text", in queries for words: a sign is more than letters


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


class ImageOutput(nn.Module):
    """Output of the trunk → (n, dim) of length 1."""

    def __init__(self, end: ImageProjection, weight: float) -> None:
        super().__init__()
        self.end, self.weight = end, weight

    def forward(self, features: Tensor) -> Tensor:
        projected, read = self.end(features[:, :-READING_DIM]), features[:, -READING_DIM:]
        return F.normalize(torch.cat([projected, self.weight * read], 1), dim=1)


class TextOutput(nn.Module):
    """Token ids and mask (n, length), letters and shares of the query → (n, dim) of length 1."""

    def __init__(
        self, tower: MiniLM, end: TextProjection, reading: ReadingTextHead, weight: float
    ) -> None:
        super().__init__()
        self.tower, self.end, self.reading, self.weight = tower, end, reading, weight

    def forward(self, ids: Tensor, mask: Tensor, letters: Tensor, shares: Tensor) -> Tensor:
        text = self.end(self.tower(ids, mask))
        words, any_text = self.reading(letters, shares).split([DIM, 1], 1)
        query = torch.cat([self.weight * words, ANY_TEXT_WEIGHT * any_text], 1)
        return F.normalize(torch.cat([text, query], 1), dim=1)


@dataclass(frozen=True, slots=True)
class Model:
    """All parts of a trained model."""

    vision: EfficientNetLite
    language: MiniLM
    tokenizer: bytes
    fits: Sequence[Heads]
    image: ImageProjection
    text: TextProjection
    reading: ReadingImageHead
    asking: ReadingTextHead


def pack(folder: Path, model: Model, images: NDArray[np.uint8], *, scale: float) -> None:
    """Write the released files; `scale` is the logit scale (see `training.heads.temperature`).

    The image tower is quantized to int8, calibrated on `images` (n, 224, 224, 3). The parts for
    places and reading are not: they are small, and reading would lose accuracy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = [fit.places.folded() for fit in model.fits]
    trunk = ImageTrunk(model.vision, places, model.reading)
    image = export.compute_in_int8(export.image_graph(trunk), images, but=("parts", "reading"))
    export.save_graph(image, folder / "image.xml")

    width = sum(QUERIES * fit.places.query.in_features for fit in model.fits) + HEAD + READING_DIM
    head = export.row_graph(ImageOutput(model.image, IMAGE_WEIGHT), width)
    side = TextOutput(model.language, model.text, model.asking, TEXT_WEIGHT)
    text = export.text_graph(side, reading=True)
    for each, name in ((head, "head.xml"), (text, "text.xml")):
        export.compress_rows(each)
        export.save_graph(each, folder / name)
    export.load_tokenizer(model.tokenizer).save(str(folder / "tokenizer.json"), pretty=False)
    export.save_manifest(
        folder, dim=model.text(torch.zeros(1, SENTENCE)).shape[1] + READING_DIM, scale=scale
    )
