"""PocketEncoder: the encoder of the embedded model.

A small version of ALIGN (Jia et al. 2021): an image tower and a text tower, each with a projection
into a common space, saved as OpenVINO graphs by `training.packing.build`. `weights/MODEL_CARD.md`
describes its quality and limits.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipsearch.batching import batches
from clipsearch.errors import ModelError, VectorError
from clipsearch.models.base import ModelIdentity, TextLoss
from clipsearch.models.crop import CenterCrop
from clipsearch.models.openvino_runtime import Graph
from clipsearch.models.pocket.dictionary import Dictionary
from clipsearch.models.pocket.language import is_foreign
from clipsearch.models.pocket.query_words import normalize_word, query_arrays
from clipsearch.models.pocket.text_plan import join_phrasings, plan_text
from clipsearch.models.text_loss import encode_whole, find_loss
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

WEIGHTS = Path(__file__).parent / "weights"
INPUT_SIZE = 224
INPUT_SHAPE = (INPUT_SIZE, INPUT_SIZE, 3)  # height, width, RGB
PREPROCESSING = "whole picture squashed; bicubic 224x224 RGB"
"""Stored with every collection and textness probe of this model: never reword it."""
CHUNK_SIZE = 8  # images per inference request, which runs on one core
TEXT_BATCH = 32
LOGIT_SCALE = 23.0
"""Used if the manifest has none."""

PRECISION = "images in int8, their heads in bfloat16 or float32; texts in float32"


class PocketEncoder:
    """Encoder over the files of `folder`; each tower loads when it is first used."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        self._folder = folder
        self._image = Graph(folder / "image.xml", bf16=True, chunk=CHUNK_SIZE)
        # The head consists of large matrices, which a whole batch reads only once.
        self._head = Graph(folder / "head.xml", bf16=True)
        # A query is a single text, for which float32 takes no noticeable time.
        self._text = Graph(folder / "text.xml")
        self._dictionary = Dictionary()

    @cached_property
    def identity(self) -> ModelIdentity:
        """The identity of the model; raises ModelError if the package's files are missing."""
        manifest = self._manifest
        return ModelIdentity(
            name="pocket",
            dim=int(manifest["dim"]),
            weights=str(manifest["weights"]),
            preprocessing=PREPROCESSING,
            precision=PRECISION,
        )

    @property
    def logit_scale(self) -> float:
        """The scale of cosines that calibrates probabilities (`training.heads.temperature`)."""
        return float(self._manifest.get("logit_scale", LOGIT_SCALE))

    @property
    def input_size(self) -> int:
        """Pixels of each side of the model's input."""
        return INPUT_SIZE

    @property
    def center_crop(self) -> CenterCrop:
        """The whole image."""
        return CenterCrop()

    def preprocess(self, image: "Image") -> Pixels:
        """Convert one upright RGB image to (224, 224, 3) uint8; thread-safe.

        The whole image is squashed to a square, so that nothing at its edges is lost.
        """
        from PIL.Image import Resampling

        # With the gap, Pillow first averages whole pixels: several times faster on large images.
        view = image.resize((INPUT_SIZE, INPUT_SIZE), Resampling.BICUBIC, reducing_gap=3.0)
        return np.asarray(view, dtype=np.uint8)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n arrays of `preprocess` as (n, 512) float32; raise VectorError on other arrays."""
        if not pixels:
            return np.empty((0, self.identity.dim), dtype=np.float32)
        for array in pixels:
            if array.shape != INPUT_SHAPE or array.dtype != np.uint8:
                raise VectorError(
                    f"pocket takes uint8 arrays of shape {INPUT_SHAPE} from preprocess(), "
                    f"not {array.dtype} {array.shape}"
                )
        return self._head(self._image(np.stack(pixels)))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, 512) float32; text beyond 256 tokens is cut off."""
        if not texts:
            return np.empty((0, self.identity.dim), dtype=np.float32)
        plans = [plan_text(text, self._dictionary) for text in texts]
        # Templates share the meanings of a label, so the same phrasing may occur several times.
        # Batches of similar length need less padding.
        more = {text for plan in plans for text, _ in plan.phrasings[1:]}
        vector_of = dict(zip(texts, self.encode_phrasings(texts), strict=True))
        for batch in batches(sorted(more, key=len), TEXT_BATCH):
            vector_of |= zip(batch, self.encode_phrasings(batch), strict=True)
        return np.stack(
            [join_phrasings(np.stack([vector_of[t] for t, _ in p.phrasings]), p) for p in plans]
        )

    def encode_phrasings(self, texts: Sequence[str]) -> Vectors:
        """Run the text graph on n texts as they are: (n, 512) float32 of length 1."""
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = np.array([e.ids for e in encodings], dtype=np.int64)
        mask = np.array([e.attention_mask for e in encodings], dtype=np.int64)
        return self._text(ids, mask, *query_arrays(texts))

    def text_losses(self, texts: Sequence[str]) -> list[TextLoss | None]:
        """What the model ignores of each text, and whether it is in another language."""
        tokenizer = self._tokenizer
        limit = int(tokenizer.truncation["max_length"]) - tokenizer.num_special_tokens_to_add(
            is_pair=False
        )
        unknown = tokenizer.token_to_id("[UNK]")
        encode = partial(encode_whole, tokenizer)
        losses = [
            find_loss(text, encode, limit=limit, unknown=unknown, latin=True) for text in texts
        ]
        return [
            replace(loss or TextLoss(limit=limit), foreign=True) if self._is_foreign(text) else loss
            for text, loss in zip(texts, losses, strict=True)
        ]

    def _is_foreign(self, text: str) -> bool:
        # New words and well-known names are single tokens, though the dictionary lacks them. So
        # are single characters of scripts that the model does not know.
        def is_token(word: str) -> bool:
            is_latin = normalize_word(word) != ""
            return is_latin and self._tokenizer.token_to_id(word.lower()) is not None

        return is_foreign(text, self._dictionary, is_token)

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        path = self._folder / "manifest.json"
        try:
            manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{path} cannot be read ({error}): install the package again"
            ) from error
        return manifest

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        path = self._folder / "tokenizer.json"
        try:
            return Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(
                f"{path} cannot be read ({error}): install the package again"
            ) from error
