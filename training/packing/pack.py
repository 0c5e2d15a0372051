"""The files that the package ships."""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from training.heads.fusion import ImageEnd, TextEnd
from training.heads.model import QUERIES, SENTENCE, Places, place_features
from training.heads.train import Heads
from training.image_tower.efficientnet import HEAD, EfficientNetLite
from training.packing import export
from training.reading.model import DIM, AskingSide, ReadingSide
from training.text_tower.minilm import MiniLM

READ = DIM + 1  # numbers of a vector that are about what is written in a picture
SEEN_WEIGHT, ASKED_WEIGHT = 0.5, 6.0  # of them, in pictures and in texts that ask for words
WRITING_WEIGHT = 0.3  # of any text at all, in texts that ask for some: a sign is more than letters


class ImageTrunk(nn.Module):
    """uint8 (n, 224, 224, 3) RGB → what ImageSide takes: places of every fit, pooled, reading."""

    def __init__(
        self, tower: EfficientNetLite, parts: Sequence[Places], reading: ReadingSide
    ) -> None:
        super().__init__()
        self.tower, self.parts, self.reading = tower, nn.ModuleList(parts), reading

    def forward(self, pixels: Tensor) -> Tensor:
        places, pooled, taps = place_features(self.tower, pixels)
        read = self.reading(taps.second, taps.third)
        return torch.cat([*(part(places) for part in self.parts), pooled, read], 1)


class ImageSide(nn.Module):
    """What the trunk gives → (n, dim) of length 1."""

    def __init__(self, end: ImageEnd, weight: float) -> None:
        super().__init__()
        self.end, self.weight = end, weight

    def forward(self, seen: Tensor) -> Tensor:
        met, read = self.end(seen[:, :-READ]), seen[:, -READ:]
        return F.normalize(torch.cat([met, self.weight * read], 1), dim=1)


class TextSide(nn.Module):
    """Token ids and mask, (n, length) int64, letters and shares of `ask` → (n, dim) of length 1."""

    def __init__(self, tower: MiniLM, end: TextEnd, asking: AskingSide, weight: float) -> None:
        super().__init__()
        self.tower, self.end, self.asking, self.weight = tower, end, asking, weight

    def forward(self, ids: Tensor, mask: Tensor, letters: Tensor, shares: Tensor) -> Tensor:
        said = self.end(self.tower(ids, mask))
        words, any_text = self.asking(letters, shares).split([DIM, 1], 1)
        asked = torch.cat([self.weight * words, WRITING_WEIGHT * any_text], 1)
        return F.normalize(torch.cat([said, asked], 1), dim=1)


@dataclass(frozen=True, slots=True)
class Model:
    """All parts of a finished model."""

    vision: EfficientNetLite
    language: MiniLM
    tokenizer: bytes
    fits: Sequence[Heads]
    image: ImageEnd
    text: TextEnd
    reading: ReadingSide
    asking: AskingSide


def pack(folder: Path, model: Model, pictures: NDArray[np.uint8], *, scale: float) -> None:
    """Write the shipped files; `scale` makes probabilities of cosines (see `training.heads.temperature`).

    The image tower computes in int8, with the ranges of `pictures` (n, 224, 224, 3). What looks at
    places or reads does not: it is small, and reading suffers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = [fit.places.folded() for fit in model.fits]
    trunk = ImageTrunk(model.vision, places, model.reading)
    image = export.compute_in_int8(export.image_graph(trunk), pictures, but=("parts", "reading"))
    export.save_graph(image, folder / "image.xml")

    width = sum(QUERIES * fit.places.query.in_features for fit in model.fits) + HEAD + READ
    head = export.row_graph(ImageSide(model.image, SEEN_WEIGHT), width)
    side = TextSide(model.language, model.text, model.asking, ASKED_WEIGHT)
    text = export.text_graph(side, asks=True)
    for each, name in ((head, "head.xml"), (text, "text.xml")):
        export.compress_rows(each)
        export.save_graph(each, folder / name)
    export.load_tokenizer(model.tokenizer).save(str(folder / "tokenizer.json"), pretty=False)
    export.save_manifest(
        folder, dim=model.text(torch.zeros(1, SENTENCE)).shape[1] + READ, scale=scale
    )
