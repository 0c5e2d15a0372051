"""ALIGN models, through transformers: EfficientNet pictures and BERT texts in one space."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AlignConfig, AlignModel, AlignProcessor
from transformers.image_utils import PILImageResampling
from transformers.utils import logging as transformers_logging

from clipsearch.errors import ModelError
from clipsearch.models import hub
from clipsearch.models.base import ModelIdentity
from clipsearch.models.digest import digest
from clipsearch.models.loading import loading
from clipsearch.models.names import ModelRef
from clipsearch.models.torch import PRECISION, batch, infer, pick_device
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_TOKENS = 64
"""The text length that ALIGN's processor pads to; it does not truncate by itself."""


class AlignEncoder:
    """An ALIGN model; its vectors are those whose cosine `AlignModel.forward` scores pairs with."""

    def __init__(self, ref: ModelRef, *, device: str = "auto") -> None:
        """Load a saved folder, or a repository of the hub.

        Raises ModelError on missing or broken files and on a model that is no ALIGN.
        """
        self._device = pick_device(device)
        hint = (
            "is the folder a whole ALIGN model, saved with its processor?"
            if ref.folder
            else "try again online, or another --model"
        )
        with loading(ref.name, hint=hint):
            source = _source(ref)
            options = {"cache_dir": hub.cache_folder(), "local_files_only": hub.offline()}
            _check_kind(ref, source, options)
            self._processor = AlignProcessor.from_pretrained(source, **options)
            self._model = _load(source, options).float().eval().to(self._device)
            config = self._model.config
            self._max_tokens = min(MAX_TOKENS, config.text_config.max_position_embeddings)
            self._identity = ModelIdentity(
                name=ref.name,
                dim=int(config.projection_dim),
                weights=digest(_weights_files(ref)),
                preprocessing=_describe(self._processor.image_processor.to_dict()),
                precision=PRECISION,
            )

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    def preprocess(self, image: "Image") -> Pixels:
        """An upright RGB picture as (3, H, W) float32, by the model's own image processor."""
        pixels = self._processor.image_processor(images=image, return_tensors="np")["pixel_values"]
        return np.asarray(pixels[0], dtype=np.float32)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed pictures as (n, d) float32, of any length."""
        if not pixels:
            return np.empty((0, self._identity.dim), np.float32)
        return infer(self._image_features, self._device, pixel_values=batch(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32, of any length; what exceeds 64 tokens is cut off."""
        if not texts:
            return np.empty((0, self._identity.dim), np.float32)
        # The processor pads to 64; padding is masked, so padding to the longest gives the same.
        tokens = self._processor.tokenizer(
            list(texts),
            padding="longest",
            truncation=True,
            max_length=self._max_tokens,
            return_tensors="pt",
        )
        return infer(self._text_features, self._device, **tokens)

    # As forward has them. The get_*_features methods return a tensor in transformers 4 and an
    # object in 5.

    def _image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self._model.vision_model(pixel_values=pixel_values)[1]  # pooled

    def _text_features(self, **tokens: torch.Tensor) -> torch.Tensor:
        return self._model.text_projection(self._model.text_model(**tokens)[0][:, 0])  # [CLS]


def _source(ref: ModelRef) -> str:
    if ref.folder is None:
        hub.require(ref.name, ref.repo, hub.TRANSFORMERS_WEIGHTS)
        return ref.repo
    if not ref.folder.is_dir():
        raise ModelError(f"model {ref.name}: there is no folder {ref.folder}")
    if not (ref.folder / "config.json").is_file():
        raise ModelError(f"model {ref.name}: {ref.folder} has no config.json, so no saved model")
    return str(ref.folder)


def _check_kind(ref: ModelRef, source: str, options: Mapping[str, Any]) -> None:
    # transformers would only warn, and build an ALIGN of what it finds in another model's config.
    config, _ = AlignConfig.get_config_dict(source, **options)
    if config.get("model_type") != "align":
        kind = config.get("model_type", "unknown")
        raise ModelError(f"model {ref.name} is no ALIGN model: its config.json is of kind {kind!r}")


def _load(source: str, options: Mapping[str, Any]) -> AlignModel:
    # transformers has a switch of its own for its bars, which turns the hub's with it.
    mute_bars = transformers_logging.is_progress_bar_enabled() and not sys.stderr.isatty()
    if mute_bars:
        transformers_logging.disable_progress_bar()
    try:
        model, report = AlignModel.from_pretrained(source, output_loading_info=True, **options)
    finally:
        if mute_bars:
            transformers_logging.enable_progress_bar()
    # transformers leaves what the file lacks at random values, with a warning.
    wrong = [*report["missing_keys"], *(str(each) for each in report["mismatched_keys"])]
    if wrong:
        raise ValueError(f"its weights are not those of an ALIGN model ({wrong[0]} and others)")
    return model


def _weights_files(ref: ModelRef) -> list[Path]:
    if ref.folder is None:
        path = hub.cached(ref.repo, hub.TRANSFORMERS_WEIGHTS)
        return [path] if path else []
    for pattern in ("model*.safetensors", "pytorch_model*.bin"):  # one file, or several shards
        if found := sorted(ref.folder.glob(pattern)):
            return found
    raise ModelError(f"model {ref.name}: {ref.folder} has no weights")


def _describe(config: Mapping[str, Any]) -> str:
    """One line of the steps that an EfficientNet image processor is configured for, in order."""
    steps = []
    if config["do_resize"]:
        steps.append("resized to {width}x{height} px".format(**config["size"]))
        steps.append(PILImageResampling(config["resample"]).name.lower())
    if config["do_center_crop"]:
        steps.append("centre {width}x{height}".format(**config["crop_size"]))
    if config["do_rescale"]:
        offset = " - 1" if config["rescale_offset"] else ""
        steps.append(f"x * {config['rescale_factor']:.6g}{offset}")
    if config["do_normalize"]:
        mean, std = (", ".join(f"{x:.6g}" for x in config[f"image_{k}"]) for k in ("mean", "std"))
        steps.append(f"mean ({mean}), std ({std}){' again' if config['include_top'] else ''}")
    return ", ".join(steps)
