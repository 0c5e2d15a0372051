"""A student on disk: a folder that open_clip loads, and its image tower alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from clipsearch.cache import atomic_write
from clipsearch.distill.student import Student
from clipsearch.models.open_clip import CONFIG

WEIGHTS = "open_clip_model.safetensors"
IMAGE = {"image.safetensors": torch.float32, "image-fp16.safetensors": torch.float16}


def write(folder: Path, student: Student, *, half: bool) -> dict[str, int]:
    """Write a student, each file whole or not at all; the sizes of its weights in bytes, by name.

    `half` rounds all weights to float16, as which they take half the room; they compute as before.
    """
    student.save_tokenizer(folder)
    described = {"model_cfg": student.config, "preprocess_cfg": student.preprocess}
    text = json.dumps(described, indent=2)
    with atomic_write(folder / CONFIG) as temporary:
        temporary.write_text(text, encoding="utf-8")
    for name, dtype in IMAGE.items():
        _save(folder / name, student.model.visual.state_dict(), dtype)
    _save(folder / WEIGHTS, student.model.state_dict(), torch.float16 if half else torch.float32)
    return {name: (folder / name).stat().st_size for name in (WEIGHTS, *IMAGE)}


def _save(path: Path, weights: Mapping[str, Any], dtype: torch.dtype) -> None:
    tensors = {
        name: tensor.detach()
        .cpu()
        .to(dtype if tensor.is_floating_point() else tensor.dtype)
        .clone()
        for name, tensor in weights.items()
    }
    with atomic_write(path) as temporary:
        save_file(tensors, temporary)
