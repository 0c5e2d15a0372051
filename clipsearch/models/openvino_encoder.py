"""A converted model: OpenVINO graphs, a tokenizer and a table, with no word of torch."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.models.base import ModelIdentity
from clipsearch.models.crop import CenterCrop
from clipsearch.models.length_bucketing import length_buckets
from clipsearch.models.openvino_runtime import Graph, has_bf16
from clipsearch.models.preprocess import Preprocessing
from clipsearch.models.tokenizers import Row, Tokenizer, open_tokenizer
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE, TEXT = "image.xml", "text.xml"
COMPILED = "compiled"
"""The folder beside them where OpenVINO keeps what it finds out about them."""

CHUNK = 16
"""Pictures a piece, of which each core has its own: enough to keep it busy, and none waits for
another; as quick as whole batches on an idle machine, and quicker on a busy one."""


class OpenVinoEncoder:
    """Encoder over the folder of a conversion; each half loads when it is first used."""

    def __init__(
        self,
        folder: Path,
        manifest: Mapping[str, Any],
        *,
        name: str,
        precision: str = "auto",
        on_torch: Callable[[], Any] | None = None,
    ) -> None:
        """`name` is the model's; `precision` one of runtime.PRECISIONS, "int8" where it is in the
        folder's weights. `on_torch` loads the model for what has no graph.
        """
        self._load_on_torch = on_torch
        self._folder = folder
        self._manifest = manifest
        self._name = name
        self._fast = precision != "fp32" and bool(manifest["bf16"]) and has_bf16()
        cache = folder / COMPILED
        self._image = Graph(folder / IMAGE, fast=self._fast, chunk=CHUNK, cache=cache)
        self._text = Graph(folder / TEXT, fast=self._fast, cache=cache)
        self.preprocessing = Preprocessing.from_json(manifest["preprocessing"])

    @cached_property
    def identity(self) -> ModelIdentity:
        """What made the vectors; weights and preprocessing are called as torch's encoder calls them."""
        number = "bfloat16" if self._fast else "float32"
        weights = ", int8 weights" if self._manifest["int8"] else ""
        return ModelIdentity(
            name=self._name,
            dim=int(self._manifest["dim"]),
            weights=str(self._manifest["weights"]),
            preprocessing=str(self._manifest["described"]),
            precision=f"{number}{weights}, by OpenVINO",
        )

    @property
    def logit_scale(self) -> float:
        """The trained scale of cosines, as it was when the model was converted."""
        return float(self._manifest["logit_scale"])

    @property
    def input_size(self) -> int:
        """Pixels a side of what a picture is resized to, the longer one."""
        return max(self.preprocessing.size)

    @property
    def center_crop(self) -> CenterCrop:
        """What the model sees of a picture."""
        return self.preprocessing.center_crop

    def preprocess(self, image: "Image") -> Pixels:
        """An upright RGB picture as (3, H, W) float32, as the model's own transform makes it."""
        return self.preprocessing(image)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed pictures as (n, d) float32, of any length."""
        if not pixels:
            return np.empty((0, self.identity.dim), np.float32)
        return self._image(np.stack(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32, of any length; what exceeds the context is cut off."""
        vectors = np.empty((len(texts), self.identity.dim), np.float32)
        rows = self._tokenizer(texts) if texts else []
        for group, length in self._groups(rows):
            ids, mask = padded([rows[place] for place in group], length, self._manifest["padding"])
            vectors[group] = self._text(ids, mask) if self._manifest["masked"] else self._text(ids)
        return vectors

    @property
    def has_patches(self) -> bool:
        """Whether `encode_patches` works."""
        return bool(self._manifest["has_patches"]) and self._load_on_torch is not None

    def encode_patches(self, pixels: Sequence[Pixels]) -> Vectors:
        """Each patch of n preprocessed pictures, (n, rows, columns, d) float32; on torch, in seconds."""
        patches: Vectors = self._on_torch.encode_patches(pixels)
        return patches

    @cached_property
    def _on_torch(self) -> Any:
        assert self._load_on_torch is not None
        return self._load_on_torch()

    def keep_compiled(self, texts: Sequence[str]) -> None:
        """Make the next process's first text quick, if it stays the same for these texts."""
        batches = []
        for some in (texts, *([text] for text in texts)):
            rows = self._tokenizer(some)
            for group, length in self._groups(rows):
                arrays = padded([rows[place] for place in group], length, self._manifest["padding"])
                batches.append(arrays if self._manifest["masked"] else arrays[:1])
        self._text.keep_compiled(batches)

    def _groups(self, rows: Sequence[Row]) -> Sequence[tuple[list[int], int]]:
        if not rows:
            return []
        if self._manifest["own_length"]:
            return list(length_buckets([len(row) for row in rows]))
        return [(list(range(len(rows))), int(self._manifest["context"]))]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return open_tokenizer(self._folder, self._manifest["tokenizer"])


def padded(
    rows: Sequence[Row], length: int, padding: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of token numbers as (n, length) int64, and the mask of the same shape, 0 at padding."""
    ids = np.full((len(rows), length), padding, np.int64)
    mask = np.zeros((len(rows), length), np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return ids, mask
