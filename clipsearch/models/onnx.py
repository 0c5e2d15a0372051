"""Models published as ONNX: the two towers of an open_clip model, on OpenVINO without torch."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from clipsearch.errors import ModelError
from clipsearch.models.base import ModelIdentity, TextLoss
from clipsearch.models.equivalence import ONNX
from clipsearch.models.export_check import PROMPTS, min_cosine, synthetic_images
from clipsearch.models.export_source import ExportSource
from clipsearch.models.model_name import ModelRef
from clipsearch.models.onnx_files import find_files
from clipsearch.models.onnx_graph import (
    Arrays,
    Check,
    Rows,
    batched,
    open_rows,
    read_graph,
)
from clipsearch.models.onnx_tokenizer import OnnxTokenizer
from clipsearch.models.openvino_encoder import IMAGE, TEXT, padded
from clipsearch.models.openvino_runtime import save_model
from clipsearch.models.preprocess import PreprocessedInput, Preprocessing, describe_preprocessing
from clipsearch.models.tokenizers import Row, open_tokenizer
from clipsearch.models.weights_hash import weights_hash
from clipsearch.temporary_folder import TemporaryFolder
from clipsearch.types import Pixels, Vectors
from clipsearch.vectors import normalize

_COSINE = 0.99999


class OnnxEncoder(PreprocessedInput):
    """An export as published, which runs one row at a time: the reference for its conversion."""

    def __init__(self, ref: ModelRef) -> None:
        """Find the files, downloading them if needed, and read them.

        Raises ModelError if a file is missing or damaged.
        """
        files = find_files(ref)
        self._image, self._text = (
            read_graph(files.image, image=True),
            read_graph(files.text, image=False),
        )
        if self._image.dim != self._text.dim:
            raise ModelError(
                f"model {ref.name}: its images have {self._image.dim} dimensions, and its texts "
                f"{self._text.dim}"
            )
        self._tokenizer = OnnxTokenizer(files.tokenizer, files.architecture.get("text_cfg") or {})
        preprocessing = Preprocessing.from_open_clip(files.preprocessing)
        if self._image.takes_bytes:
            preprocessing = replace(preprocessing, levels=[list(map(float, range(256)))] * 3)
        self.preprocessing = preprocessing
        quick_gelu = self._image.uses_quick_gelu or self._text.uses_quick_gelu
        described = describe_preprocessing(files.preprocessing, quick_gelu=quick_gelu)
        if self._image.is_quantized or self._text.is_quantized:
            described += ", published with 8-bit weights"
        self.identity = ModelIdentity(
            name=ref.open_clip_name or ref.name,
            dim=self._image.dim,
            weights=f"{ONNX}{weights_hash(files.weights)}",
            preprocessing=described,
            precision="float32, by OpenVINO",
        )
        self.sources: Sequence[Path] = files.sources

    @property
    def logit_scale(self) -> float:
        """The factor of cosines in a softmax, which an export does not state."""
        return 100.0

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed images as (n, d) float32."""
        return self._embed_images([np.stack(pixels)])

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32; text beyond the context is cut off."""
        return self._embed_texts(self._inputs(self._tokenized(texts), self._tokenizer.context))

    def text_losses(self, texts: Sequence[str]) -> list[TextLoss | None]:
        """What the tokenizer ignores of each text: unknown words, and what exceeds the context."""
        with TemporaryFolder() as folder:
            tokenizer = open_tokenizer(folder, self._tokenizer.save(folder))
            return [tokenizer.loss(text) for text in texts]

    def export_source(self) -> ExportSource:
        """Return the parts that a conversion needs; raise ModelError if there can be none."""
        height, width = self.preprocessing.crop
        images = [((-1, 3, height, width), self._same_images())]
        image, _ = batched(self._image.path, images)
        context = self._tokenizer.context
        same, same_at_own_length = self._same_texts()
        texts = [((-1, -1), same_at_own_length), ((-1, context), same)]
        text, shape = batched(self._text.path, texts, context=context)

        def save_graphs(folder: Path) -> None:
            save_model(image, folder / IMAGE)
            save_model(text, folder / TEXT)

        return ExportSource(
            image=None,
            text=None,
            preprocessing=self.preprocessing,
            save_tokenizer=self._tokenizer.save,
            context=context,
            padding=self._tokenizer.padding,
            masked=self._text.is_masked,
            own_length=shape[1] == -1,
            description="ONNX",
            save_graphs=save_graphs,
        )

    def _same_images(self) -> Check:
        """Whether a tower embeds a batch of images as the published one embeds each."""
        batch = [np.stack([self.preprocess(image) for image in synthetic_images()])]
        expected = normalize(self._embed_images(batch))  # raises an error on a zero vector
        return lambda run: min_cosine(run(batch), expected) >= _COSINE

    def _same_texts(self) -> tuple[Check, Check]:
        """Whether a tower embeds a batch of texts so, and also each text at its own length."""
        rows = self._tokenized(PROMPTS)
        batch = self._inputs(rows, self._tokenizer.context)
        short = [self._inputs([row], len(row)) for row in rows]
        expected = normalize(self._embed_texts(batch))

        def same(run: Rows) -> bool:
            return min_cosine(run(batch), expected) >= _COSINE

        def same_at_own_length(run: Rows) -> bool:
            return same(run) and same(lambda _: np.concatenate([run(row) for row in short]))

        return same, same_at_own_length

    def _tokenized(self, texts: Sequence[str]) -> Sequence[Row]:
        with TemporaryFolder() as folder:
            return open_tokenizer(folder, self._tokenizer.save(folder))(texts)

    def _inputs(self, rows: Sequence[Row], length: int) -> Arrays:
        arrays = padded(rows, length, self._tokenizer.padding)
        return arrays if self._text.is_masked else arrays[:1]

    @cached_property
    def _embed_images(self) -> Rows:
        return open_rows(self._image.path, image=True)

    @cached_property
    def _embed_texts(self) -> Rows:
        return open_rows(self._text.path, image=False)
