"""ALIGN models from transformers: EfficientNet for images and BERT for texts."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AlignConfig, AlignModel, AlignProcessor
from transformers.image_utils import PILImageResampling
from transformers.utils import logging as transformers_logging

from clipsearch.errors import ModelError
from clipsearch.models import hub
from clipsearch.models.base import ModelIdentity, TextLoss
from clipsearch.models.crop import CenterCrop
from clipsearch.models.export_source import ExportSource, save_fast_tokenizer
from clipsearch.models.library_output import loading
from clipsearch.models.model_name import ModelRef
from clipsearch.models.preprocess import Preprocessing
from clipsearch.models.runtime import Runtime
from clipsearch.models.text_loss import encode_by_transformers, find_loss
from clipsearch.models.torch_runtime import TorchRuntime, Tower
from clipsearch.models.unknown_model import folder_hint
from clipsearch.models.weights_hash import weights_hash
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_TOKENS = 64
"""The text length that ALIGN's processor pads to; it does not truncate on its own."""


class AlignEncoder:
    """An ALIGN model; its vectors are those that `AlignModel.forward` compares by cosine."""

    def __init__(self, ref: ModelRef, runtime: Runtime) -> None:
        """Load a saved folder, or a repository of the hub.

        Raises ModelError on missing or broken files and on a model of another kind.
        """
        self._torch = TorchRuntime(runtime)
        hint = (
            "is the folder a complete ALIGN model, saved with its processor?"
            if ref.folder
            else "try again online, or use another --model"
        )
        with loading(ref.name, hint=hint):
            source = _location(ref)
            options = {"cache_dir": hub.cache_folder(), "local_files_only": hub.is_offline()}
            _check_kind(ref, source, options)
            self._processor = AlignProcessor.from_pretrained(source, **options)
            self._model = _load(source, options).float().eval().to(self._torch.device)
            self._sources = _source_files(ref)
            config = self._model.config
            self._description = config.to_json_string()
            if config.vision_config.pooling_type == "mean":
                # transformers averages over a window of hidden_dim², which is larger than any input
                # and so covers everything; other libraries reject such a window.
                self._model.vision_model.pooler = torch.nn.AdaptiveAvgPool2d(1)
            self._max_tokens = min(MAX_TOKENS, config.text_config.max_position_embeddings)
            self._identity = ModelIdentity(
                name=ref.name,
                dim=int(config.projection_dim),
                weights=weights_hash(_weights_files(ref)),
                preprocessing=_describe(self._processor.image_processor.to_dict()),
                precision=self._torch.precision,
            )

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def logit_scale(self) -> float:
        """The inverse of the trained temperature."""
        return 1 / float(self._model.temperature.detach())

    @property
    def input_size(self) -> int:
        """Pixels of the longer side that an image is resized to."""
        size = self._processor.image_processor.size
        return int(max(size["height"], size["width"]))

    @property
    def center_crop(self) -> CenterCrop:
        """The part of a squashed image that is kept: 289 of 346 pixels by default."""
        config = self._processor.image_processor.to_dict()
        return Preprocessing.from_efficientnet(config).center_crop

    def preprocess(self, image: "Image") -> Pixels:
        """Convert an upright RGB image to (3, H, W) float32 by the model's own image processor."""
        pixels = self._processor.image_processor(images=image, return_tensors="np")["pixel_values"]
        return np.asarray(pixels[0], dtype=np.float32)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed images as (n, d) float32, of any length."""
        if not pixels:
            return np.empty((0, self._identity.dim), np.float32)
        return self._torch.infer(self._image_features, self._torch.upload(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed n texts as (n, d) float32, of any length; text beyond 64 tokens is cut off."""
        if not texts:
            return np.empty((0, self._identity.dim), np.float32)
        # The processor pads to 64. Padding is masked, so padding to the longest is equivalent.
        tokens = self._processor.tokenizer(
            list(texts),
            padding="longest",
            truncation=True,
            max_length=self._max_tokens,
            return_tensors="pt",
        )
        return self._torch.infer(self._text_features, tokens["input_ids"], tokens["attention_mask"])

    def text_losses(self, texts: Sequence[str]) -> list[TextLoss | None]:
        """What the tokenizer ignores of each text: unknown words, and the end beyond 64 tokens."""
        tokenizer = self._processor.tokenizer
        encode = partial(encode_by_transformers, tokenizer)
        limit = self._max_tokens - tokenizer.num_special_tokens_to_add()
        unknown = tokenizer.unk_token_id
        return [find_loss(text, encode, limit=limit, unknown=unknown) for text in texts]

    @property
    def sources(self) -> Sequence[Path]:
        """The files and folders that the model was loaded from."""
        return self._sources

    def export_source(self) -> ExportSource:
        """Return the parts that a conversion needs."""
        tokenizer = self._processor.tokenizer
        return ExportSource(
            image=Tower(self._model, self._image_features),
            text=Tower(self._model, self._text_features),
            preprocessing=Preprocessing.from_efficientnet(
                self._processor.image_processor.to_dict()
            ),
            save_tokenizer=lambda folder: save_fast_tokenizer(tokenizer, folder, self._max_tokens),
            context=self._max_tokens,
            padding=int(tokenizer.pad_token_id),
            masked=True,
            own_length=True,
            description=self._description,
        )

    # As in `AlignModel.forward`. The get_*_features methods return a tensor in transformers 4 and
    # an object in 5.

    def _image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self._model.vision_model(pixel_values=pixel_values)[1]  # pooled

    def _text_features(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self._model.text_model(input_ids=ids, attention_mask=mask)[0]
        return self._model.text_projection(hidden[:, 0])  # [CLS]


def _location(ref: ModelRef) -> str:
    if ref.folder is None:
        hub.require(ref.name, ref.repo, hub.TRANSFORMERS_WEIGHTS)
        return ref.repo
    if not ref.folder.is_dir():
        raise ModelError(f"model {ref.name}: there is no folder {ref.folder}")
    if not (ref.folder / "config.json").is_file():
        hint = folder_hint(ref.folder, "align")
        raise ModelError(
            f"model {ref.name}: {ref.folder} has no config.json, so it is not a saved model"
            + (f"; {hint}" if hint else "")
        )
    return str(ref.folder)


def _check_kind(ref: ModelRef, source: str, options: Mapping[str, Any]) -> None:
    # transformers would only warn, and build an ALIGN from another model's config.
    config, _ = AlignConfig.get_config_dict(source, **options)
    if config.get("model_type") != "align":
        kind = config.get("model_type", "unknown")
        hint = folder_hint(ref.folder, "align") if ref.folder else ""
        raise ModelError(
            f"model {ref.name} is not an ALIGN model: its config.json has the type {kind!r}"
            + (f"; {hint}" if hint else "")
        )


def _load(source: str, options: Mapping[str, Any]) -> AlignModel:
    # transformers has its own switch for progress bars, which also controls the hub's.
    mute_bars = transformers_logging.is_progress_bar_enabled() and not sys.stderr.isatty()
    if mute_bars:
        transformers_logging.disable_progress_bar()
    try:
        model, report = AlignModel.from_pretrained(source, output_loading_info=True, **options)
    finally:
        if mute_bars:
            transformers_logging.enable_progress_bar()
    # transformers leaves missing parameters at random values, with only a warning.
    mismatched = [*report["missing_keys"], *map(str, report["mismatched_keys"])]
    if mismatched:
        raise ValueError(f"its weights do not fit an ALIGN model ({mismatched[0]}, …)")
    return model


def _weights_files(ref: ModelRef) -> list[Path]:
    if ref.folder is None:
        path = hub.cached_file(ref.repo, hub.TRANSFORMERS_WEIGHTS)
        return [path] if path else []
    for pattern in ("model*.safetensors", "pytorch_model*.bin"):  # one file, or several shards
        if files := sorted(ref.folder.glob(pattern)):
            return files
    raise ModelError(f"model {ref.name}: {ref.folder} has no weights")


def _source_files(ref: ModelRef) -> list[Path]:
    """The files and folders that the model is loaded from; a change may mean a new model."""
    if ref.folder is None:
        return [*_weights_files(ref), hub.revision_file(ref.repo)]
    return [ref.folder, *sorted(path for path in ref.folder.iterdir() if path.is_file())]


def _describe(config: Mapping[str, Any]) -> str:
    """One line on the steps of an EfficientNet image processor, in order.

    Collections store it and compare it: a changed wording would make them unusable.
    """
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
