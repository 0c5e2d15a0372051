"""Models of the open_clip library: CLIP, SigLIP, CoCa and their relatives."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import open_clip

from clipsearch.models import hub
from clipsearch.models.base import ModelIdentity, TextLoss
from clipsearch.models.crop import CenterCrop
from clipsearch.models.export_source import ExportSource
from clipsearch.models.library_output import loading
from clipsearch.models.model_name import ModelRef
from clipsearch.models.open_clip_checkpoint import (
    CONFIG,
    find_checkpoint,
    source_files,
    weights_file,
)
from clipsearch.models.open_clip_text_tower import (
    own_length,
    padding_of,
    save_tokenizer,
    text_losses,
)
from clipsearch.models.patch_tokens import encode_patches, has_patches
from clipsearch.models.preprocess import Preprocessing, describe_preprocessing
from clipsearch.models.runtime import Runtime
from clipsearch.models.torch_runtime import ImageInput, TorchRuntime, Tower
from clipsearch.models.weights_hash import weights_hash
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image


class OpenClipEncoder:
    """A model of open_clip with the preprocessing, activation and tokenizer of its training."""

    def __init__(self, ref: ModelRef, runtime: Runtime) -> None:
        """Load a model, downloading it from the hub if needed.

        Raises ModelError on an unknown tag, missing weights, a broken folder, or weights of
        another architecture; no parameter is left at its random initial value.
        """
        self._torch = TorchRuntime(runtime)
        hint = (
            f"are its weights complete, and of the architecture in {CONFIG}?"
            if ref.folder
            else "try again online, or use another --model"
        )
        with loading(ref.name, hint=hint):
            checkpoint = find_checkpoint(ref)
            model, _ = open_clip.create_model_from_pretrained(
                checkpoint.model,
                pretrained=checkpoint.tag,
                # Without this, open_clip only warns if a tag was trained with another activation.
                force_quick_gelu=checkpoint.quick_gelu,
                cache_dir=str(hub.cache_folder()),
                device=self._torch.device,
            )
            self._tokenize = open_clip.get_tokenizer(
                checkpoint.model, cache_dir=str(hub.cache_folder())
            )
            self._model = model.eval()
            self.preprocessing = Preprocessing.from_open_clip(model.visual.preprocess_cfg)
            self._images = ImageInput(self.preprocessing, self._torch)
            self._text = own_length(model, self._tokenize)
            self._sources = source_files(ref, checkpoint)
            self._description = json.dumps(checkpoint.config, sort_keys=True)
            quick_gelu = checkpoint.quick_gelu or bool(checkpoint.config.get("quick_gelu"))
            self._config = {**checkpoint.config, "quick_gelu": quick_gelu}
            self._identity = ModelIdentity(
                name=ref.name,
                dim=int(checkpoint.config["embed_dim"]),
                weights=weights_hash([weights_file(ref, checkpoint)]),
                preprocessing=describe_preprocessing(
                    model.visual.preprocess_cfg, quick_gelu=quick_gelu
                ),
                precision=self._torch.precision,
            )

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def logit_scale(self) -> float:
        """The trained scale of cosines; SigLIP's bias is equal for all labels and left out."""
        return float(self._model.logit_scale.detach().exp())

    @property
    def input_size(self) -> int:
        """Pixels of the longer side of the model's input."""
        return int(np.max(self._model.visual.preprocess_cfg["size"]))

    @property
    def center_crop(self) -> CenterCrop:
        """The part of an image that preprocessing keeps."""
        return CenterCrop(square=self._model.visual.preprocess_cfg["resize_mode"] == "shortest")

    def preprocess(self, image: "Image") -> Pixels:
        """Resize and crop an upright RGB image as the model's evaluation transform does.

        (3, H, W) float32, or (H, W, 3) uint8 if the device is a GPU of CUDA.
        """
        return self._images.preprocess(image)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed images as (n, d) float32, of any length."""
        if not pixels:
            return np.empty((0, self._identity.dim), np.float32)
        return self._torch.infer(self._model.encode_image, self._images.upload(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32, of any length; text beyond the context is cut off."""
        if not texts:
            return np.empty((0, self._identity.dim), np.float32)
        ids = self._tokenize(list(texts))
        if self._text is None:
            return self._torch.infer(self._model.encode_text, ids)
        return self._torch.infer_texts(self._text, ids, padding_of(self._tokenize))

    def text_losses(self, texts: Sequence[str]) -> list[TextLoss | None]:
        """What the tokenizer ignores of each text: unknown words, and what exceeds the context."""
        return text_losses(self._tokenize, texts)

    @property
    def module(self) -> Any:
        """The torch module of open_clip."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of open_clip."""
        return self._tokenize

    @property
    def config(self) -> Mapping[str, Any]:
        """The architecture as a `model_cfg`, with the activation of its training."""
        return self._config

    @property
    def has_patches(self) -> bool:
        """Whether `encode_patches` works: for open_clip's own vision transformers."""
        return has_patches(self._model.visual)

    def encode_patches(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed the patches of n images as (n, rows, columns, d) float32, of any length."""
        function = partial(encode_patches, self._model.visual)
        return self._torch.infer(function, self._images.upload(pixels))

    @property
    def sources(self) -> Sequence[Path]:
        """The files and folders that the model was loaded from."""
        return self._sources

    def export_source(self) -> ExportSource:
        """Return the parts that a conversion needs."""
        return ExportSource(
            image=Tower(self._model, self._model.encode_image),
            text=Tower(self._model, self._text or self._model.encode_text),
            preprocessing=self.preprocessing,
            save_tokenizer=partial(save_tokenizer, self._tokenize),
            context=int(self._tokenize.context_length),
            padding=padding_of(self._tokenize),
            masked=False,
            own_length=self._text is not None,
            description=self._description,
        )
