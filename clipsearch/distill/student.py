"""The student: a CLIP model of open_clip with a small image tower."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import torch
from open_clip import CLIP, CustomTextCLIP, SimpleTokenizer
from safetensors.torch import save_file

from clipsearch.cache import atomic_write
from clipsearch.distill.architecture import model_config, preprocess_config
from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder
from clipsearch.models.library_output import loading
from clipsearch.models.open_clip import OpenClipEncoder
from clipsearch.models.open_clip_checkpoint import CONFIG
from clipsearch.models.preprocess import Preprocessing

MODEL_WEIGHTS = "open_clip_model.safetensors"
IMAGE_TOWER_WEIGHTS = {
    "image.safetensors": torch.float32,
    "image-fp16.safetensors": torch.float16,
}


@dataclass(frozen=True, slots=True)
class Student:
    """`model` is a CLIP of open_clip; `config` and `preprocess` are its configs for open_clip."""

    model: Any
    config: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    tokenizer: Any

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of the student's images."""
        return Preprocessing.from_open_clip(
            {**self.preprocess, "size": self.model.visual.image_size}
        )

    def tower(self, name: str) -> Any:
        """The torch module of the tower "image" or "text"."""
        return self.model.visual if name == "image" else self.model.text

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        """Tokenize n texts as (n, context) int64."""
        return self.tokenizer(list(texts))

    def save(self, folder: Path, *, half: bool) -> dict[str, int]:
        """Write a folder that open_clip loads, and the image tower alone in two precisions.

        `half` rounds all weights to float16, which halves the size; the model computes as before.
        Each file is written atomically. Returns the sizes of the weights in bytes by file name.
        """
        hf_tokenizer = getattr(self.tokenizer, "tokenizer", None)
        if hf_tokenizer is not None:  # otherwise open_clip brings the vocabulary
            hf_tokenizer.save_pretrained(folder)
        configs = {"model_cfg": self.config, "preprocess_cfg": self.preprocess}
        with atomic_write(folder / CONFIG) as temporary:
            temporary.write_text(json.dumps(configs, indent=2), encoding="utf-8")
        for name, dtype in IMAGE_TOWER_WEIGHTS.items():
            _save_weights(folder / name, self.model.visual, dtype)
        _save_weights(folder / MODEL_WEIGHTS, self.model, torch.float16 if half else torch.float32)
        names = (MODEL_WEIGHTS, *IMAGE_TOWER_WEIGHTS)
        return {name: (folder / name).stat().st_size for name in names}


def count_parameters(module: Any) -> int:
    """Count the trained numbers of a module."""
    return sum(weight.numel() for weight in module.parameters())


def build_student(
    teacher: Encoder, name: str, *, heads: int | None, distill_text: bool, seed: int
) -> Student:
    """Build an untrained image tower next to the teacher's text tower.

    With `distill_text`, the text tower is untrained too, and half as large as the teacher's. A
    teacher of open_clip must run on torch. Raises UsageError if open_clip cannot build the text
    tower and `distill_text` is off, and if the heads do not divide the width.
    """
    source = teacher if isinstance(teacher, OpenClipEncoder) else None
    if source is None and not distill_text:
        raise UsageError(
            f"open_clip cannot load the text tower of {name}, so the student needs its own: give "
            "captions to train it on (--captions FILE)"
        )
    config = model_config(teacher, source, heads, distill_text=distill_text)
    is_custom = config["custom_text"] or "hf_model_name" in config["text_cfg"]
    arguments = {key: deepcopy(value) for key, value in config.items() if key != "custom_text"}
    with (
        loading(name, hint="the student's text tower could not be built"),
        torch.random.fork_rng([]),
    ):
        torch.manual_seed(seed)
        model = (CustomTextCLIP if is_custom else CLIP)(**arguments)
        if source is None:
            model.logit_scale.data.fill_(log(teacher.logit_scale))
        else:
            _copy_weights(source.module, model, distill_text=distill_text)
    if source is None or (distill_text and "hf_model_name" in source.config["text_cfg"]):
        tokenizer = SimpleTokenizer()
    else:
        tokenizer = source.tokenizer
    return Student(model.eval(), config, preprocess_config(source), tokenizer)


def _copy_weights(teacher: Any, model: Any, *, distill_text: bool) -> None:
    """Copy the scale of cosines and, unless `distill_text`, the text tower to a student."""

    def is_copied(name: str) -> bool:
        if name in ("logit_scale", "logit_bias"):
            return True
        return not distill_text and not name.startswith(("visual.", "text_decoder."))

    weights = {name: value for name, value in teacher.state_dict().items() if is_copied(name)}
    result = model.load_state_dict(weights, strict=False)
    missing = [name for name in result.missing_keys if not name.startswith("visual.")]
    if result.unexpected_keys or (missing and not distill_text):
        unmatched = [*result.unexpected_keys, *missing]
        raise RuntimeError(f"its text tower has weights of another form: {unmatched[0]}, …")


def _save_weights(path: Path, module: Any, dtype: torch.dtype) -> None:
    tensors = {
        name: tensor.detach()
        .cpu()
        .to(dtype if tensor.is_floating_point() else tensor.dtype)
        .clone()
        for name, tensor in module.state_dict().items()
    }
    with atomic_write(path) as temporary:
        save_file(tensors, temporary)
