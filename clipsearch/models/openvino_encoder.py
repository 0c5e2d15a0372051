"""A converted model: OpenVINO graphs, a tokenizer and preprocessing, without torch."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.models.base import ModelIdentity, TextLoss
from clipsearch.models.int8 import CALIBRATED, WEIGHTS
from clipsearch.models.length_bucketing import length_buckets
from clipsearch.models.openvino_runtime import Graph, has_bf16
from clipsearch.models.preprocess import PreprocessedInput, Preprocessing
from clipsearch.models.runtime import has_torch
from clipsearch.models.tokenizers import Row, Tokenizer, open_tokenizer
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE, TEXT = "image.xml", "text.xml"
COMPILED = "compiled"
"""The subfolder for OpenVINO's cache of compiled graphs."""

CHUNK = 8
"""Images per inference request, each on its own core. ViT-B/32 on two cores embeds 8 at a time as
fast as 16 or 32, in float32 and in int8, and faster than whole batches shared by the cores: 41
against 39 images/s, and 125 against 113."""


class OpenVinoEncoder(PreprocessedInput):
    """Encoder over the folder of a conversion; each tower loads when it is first used."""

    def __init__(
        self,
        folder: Path,
        manifest: Mapping[str, Any],
        *,
        name: str,
        bf16: bool = False,
        load_on_torch: Callable[[], Any] | None = None,
    ) -> None:
        """Set up a model called `name` without reading its weights.

        With `bf16`, what is not in int8 is computed in bfloat16, if the processor supports that.
        `load_on_torch` loads the model for `encode_patches`, which has no graph.
        """
        self._load_on_torch = load_on_torch
        self._folder = folder
        self._manifest = manifest
        self._name = name
        self._is_bf16 = bf16 and has_bf16()
        cache = folder / COMPILED
        self._image = Graph(folder / IMAGE, bf16=self._is_bf16, chunk=CHUNK, cache=cache)
        self._text = Graph(folder / TEXT, bf16=self._is_bf16, cache=cache)
        self.preprocessing = Preprocessing.from_json(manifest["preprocessing"])

    @property
    def folder(self) -> Path:
        """The folder of its graphs."""
        return self._folder

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the conversion saved about the model."""
        return self._manifest

    @cached_property
    def identity(self) -> ModelIdentity:
        """The identity of the model; weights and preprocessing equal those of torch's encoder."""
        number = "bfloat16" if self._is_bf16 else "float32"
        int8 = {"": "", CALIBRATED: "int8 and ", WEIGHTS: "int8 weights, "}[self._manifest["int8"]]
        return ModelIdentity(
            name=self._name,
            dim=int(self._manifest["dim"]),
            weights=str(self._manifest["weights"]),
            preprocessing=str(self._manifest["described"]),
            precision=f"{int8}{number}, by OpenVINO",
        )

    @property
    def logit_scale(self) -> float:
        """The trained scale of cosines, saved when the model was converted."""
        return float(self._manifest["logit_scale"])

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed images as (n, d) float32, of any length."""
        if not pixels:
            return np.empty((0, self.identity.dim), np.float32)
        return self._image(np.stack(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32, of any length; text beyond the context is cut off."""
        vectors = np.empty((len(texts), self.identity.dim), np.float32)
        rows = self._tokenizer(texts) if texts else []
        for group, length in self._buckets(rows):
            vectors[group] = self._text(*self._inputs(rows, group, length))
        return vectors

    def text_losses(self, texts: Sequence[str]) -> list[TextLoss | None]:
        """What the tokenizer ignores of each text: unknown words, and what exceeds the context."""
        return [self._tokenizer.loss(text) for text in texts]

    @property
    def has_patches(self) -> bool:
        """Whether `encode_patches` works, which needs torch."""
        return (
            bool(self._manifest["has_patches"]) and self._load_on_torch is not None and has_torch()
        )

    def encode_patches(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed the patches of n images as (n, rows, columns, d) float32, of any length.

        Loads the model on torch, which takes seconds.
        """
        patches: Vectors = self._on_torch.encode_patches(pixels)
        return patches

    @cached_property
    def _on_torch(self) -> Any:
        assert self._load_on_torch is not None
        return self._load_on_torch()

    def save_compiled(self, texts: Sequence[str], images: "Sequence[Image]") -> None:
        """Cache the compiled towers for later processes, if these inputs give equal vectors.

        The first text or image of a process is then faster, and the start of an ingestion.
        """
        batches = []
        for batch in (texts, *([text] for text in texts)):
            rows = self._tokenizer(batch)
            batches += [self._inputs(rows, group, length) for group, length in self._buckets(rows)]
        self._text.save_compiled(batches)
        pixels = np.stack([self.preprocess(image) for image in images])
        self._image.save_compiled([[pixels], [pixels[:1]]])

    def _inputs(
        self, rows: Sequence[Row], group: Sequence[int], length: int
    ) -> Sequence[NDArray[np.int64]]:
        """The inputs of the text graph for some rows: token ids, and a mask if it has one."""
        arrays = padded([rows[index] for index in group], length, self._manifest["padding"])
        return arrays if self._manifest["masked"] else arrays[:1]

    def _buckets(self, rows: Sequence[Row]) -> Sequence[tuple[list[int], int]]:
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
    """Pad rows of token ids to (n, length) int64; also return the mask, 0 at padding."""
    ids = np.full((len(rows), length), padding, np.int64)
    mask = np.zeros((len(rows), length), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask
