"""Assemble towers, reading heads and trained heads into graphs and write the released files."""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from training.heads.fusion import ImageProjection, TextProjection
from training.heads.model import QUERIES, SENTENCE, Places
from training.heads.train import Heads
from training.image_tower.efficientnet import HEAD
from training.packing import export
from training.reading.model import DIM

READING_DIM = DIM + 1  # components of a vector that represent text in an image
IMAGE_WEIGHT, TEXT_WEIGHT = 0.5, 6.0  # of these components, in images and in queries for words
ANY_TEXT_WEIGHT = 0.3  # of "any text", in queries for words: a sign is more than letters


class TowerGraphs(Protocol):
    """Both towers and both reading heads, behind which trained heads are packed."""

    @property
    def tokenizer(self) -> bytes:
        """The content of tokenizer.json."""
        ...

    def image_features(self) -> Any:
        """Return a graph from uint8 (n, 224, 224, 3) to the inputs of the heads, one row each."""
        ...

    def sentences(self) -> Any:
        """Return a graph from token ids and mask to sentence vectors (n, 384)."""
        ...

    def image(self, parts: Sequence[Places]) -> Any:
        """Return a graph from images to the places of every fit, pooled features and reading."""
        ...

    def text(self, end: TextProjection) -> Any:
        """Return a graph from token ids, mask, letters and shares to vectors (n, dim)."""
        ...


class ImageOutput(nn.Module):
    """Output of the image graph → (n, dim) of length 1."""

    def __init__(self, end: ImageProjection, weight: float = IMAGE_WEIGHT) -> None:
        super().__init__()
        self.end, self.weight = end, weight

    def forward(self, features: Tensor) -> Tensor:
        projected, read = self.end(features[:, :-READING_DIM]), features[:, -READING_DIM:]
        return F.normalize(torch.cat([projected, self.weight * read], 1), dim=1)


class QueryOutput(nn.Module):
    """Sentence vectors (n, 384) and the reading part of queries (n, 97) → (n, dim) of length 1."""

    def __init__(self, end: TextProjection, weight: float = TEXT_WEIGHT) -> None:
        super().__init__()
        self.end, self.weight = end, weight

    def forward(self, sentences: Tensor, reading: Tensor) -> Tensor:
        words, any_text = reading.split([DIM, 1], 1)
        query = torch.cat([self.weight * words, ANY_TEXT_WEIGHT * any_text], 1)
        return F.normalize(torch.cat([self.end(sentences), query], 1), dim=1)


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    """The fits, and their fusion into one space."""

    fits: Sequence[Heads]
    image: ImageProjection
    text: TextProjection


def pack(folder: Path, towers: TowerGraphs, heads: TrainedHeads, *, scale: float) -> None:
    """Write the released files; `scale` is the logit scale (see `training.heads.temperature`).

    The towers may be those in `folder`, which OpenVINO maps: files are replaced, not overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as made:
        _write(Path(made), towers, heads, scale)
        for file in Path(made).iterdir():
            file.replace(folder / file.name)


def _write(folder: Path, towers: TowerGraphs, heads: TrainedHeads, scale: float) -> None:
    fits = heads.fits
    export.save_graph(towers.image([fit.places.folded() for fit in fits]), folder / "image.xml")
    width = sum(QUERIES * fit.places.query.in_features for fit in fits) + HEAD + READING_DIM
    head, text = export.row_graph(ImageOutput(heads.image), width), towers.text(heads.text)
    for each, name in ((head, "head.xml"), (text, "text.xml")):
        export.compress_rows(each)
        export.save_graph(each, folder / name)
    export.load_tokenizer(towers.tokenizer).save(str(folder / "tokenizer.json"), pretty=False)
    dim = heads.text(torch.zeros(1, SENTENCE)).shape[1] + READING_DIM
    export.save_manifest(folder, dim=dim, scale=scale)
