"""The architecture of a student, as a config of open_clip, derived from its teacher."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import open_clip

from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder
from clipsearch.models.open_clip import OpenClipEncoder
from clipsearch.models.preprocess import Preprocessing

HEAD_WIDTH = 32
"""Default width of an attention head: 12 heads for a width of 384."""
TEXT_TOWER = {"context_length": 77, "vocab_size": 49408, "width": 256, "heads": 4, "layers": 6}
"""Half of CLIP's text tower, for teachers whose text tower open_clip cannot build."""


@dataclass(frozen=True, slots=True)
class ImageTowerShape:
    """The shape of a vision transformer; `image_size` is a number or [height, width]."""

    width: int = 384
    layers: int = 6
    patch_size: int = 32
    image_size: Any = 224


HALF_VIT_B_32 = ImageTowerShape()
"""For teachers whose image tower is not a vision transformer."""


def model_config(
    teacher: Encoder,
    open_clip_teacher: OpenClipEncoder | None,
    heads: int | None,
    *,
    distill_text: bool,
) -> dict[str, Any]:
    """Derive the student's `model_cfg`: half the width and half the layers of each tower.

    `open_clip_teacher` is the teacher as a model of open_clip, None if it is not one. With
    `distill_text`, the student gets a text tower of its own. Raises UsageError if the heads do not
    divide the width.
    """
    shape = _image_tower_shape(teacher, open_clip_teacher)
    default_heads = max(1, shape.width // HEAD_WIDTH)
    heads = heads or default_heads
    if shape.width % heads:
        raise UsageError(
            f"{heads} heads do not divide the student's width of {shape.width}: try {default_heads}"
        )
    config: dict[str, Any] = {
        "embed_dim": teacher.identity.dim,
        "vision_cfg": {
            "image_size": shape.image_size,
            "layers": shape.layers,
            "width": shape.width,
            "head_width": shape.width // heads,
            "patch_size": shape.patch_size,
        },
        "text_cfg": dict(TEXT_TOWER),
        "custom_text": distill_text,
    }
    if open_clip_teacher is None:
        return config
    teacher_config = open_clip_teacher.config
    teacher_text = teacher_config["text_cfg"]
    if not distill_text:
        config["text_cfg"] = {**teacher_text, "output_tokens": False}
        if "hf_model_name" in teacher_text:  # the student's folder holds the weights
            config["text_cfg"]["hf_model_pretrained"] = False
    elif "hf_model_name" not in teacher_text:
        config["text_cfg"] = _halve_text_tower(teacher_text)
    is_custom = not isinstance(open_clip_teacher.module, open_clip.CLIP)
    config["custom_text"] = distill_text or is_custom
    for key in ("init_logit_scale", "init_logit_bias", "nonscalar_logit_scale", "quick_gelu"):
        if teacher_config.get(key) is not None:
            config[key] = teacher_config[key]
    return config


def preprocess_config(open_clip_teacher: OpenClipEncoder | None) -> dict[str, Any]:
    """Derive the student's `preprocess_cfg`: the teacher's, or a resize of the whole image.

    Teachers of other libraries take the whole image, too.
    """
    if open_clip_teacher is None:
        return {
            "mean": list(open_clip.OPENAI_DATASET_MEAN),
            "std": list(open_clip.OPENAI_DATASET_STD),
            "interpolation": "bicubic",
            "resize_mode": "squash",
            "fill_color": 0,
        }
    teacher_config = open_clip_teacher.module.visual.preprocess_cfg
    names = ("mean", "std", "interpolation", "resize_mode", "fill_color")
    config: dict[str, Any] = json.loads(json.dumps({name: teacher_config[name] for name in names}))
    return config


def _image_tower_shape(
    teacher: Encoder, open_clip_teacher: OpenClipEncoder | None
) -> ImageTowerShape:
    if open_clip_teacher is None:
        return ImageTowerShape(image_size=_image_size(teacher))
    visual = open_clip_teacher.module.visual
    size = visual.image_size
    if not isinstance(size, int):
        size = size[0] if size[0] == size[1] else list(size)
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    if blocks and hasattr(visual, "conv1"):
        width, patch_size = visual.conv1.out_channels, visual.patch_size
    else:  # a model of timm
        trunk = getattr(visual, "trunk", None)
        blocks, width = getattr(trunk, "blocks", None), getattr(trunk, "embed_dim", None)
        patch_size = getattr(getattr(trunk, "patch_embed", None), "patch_size", None)
    if not blocks or not isinstance(width, int) or not patch_size:
        return ImageTowerShape(image_size=size)
    return ImageTowerShape(
        width=max(1, width // 2),
        layers=max(1, len(blocks) // 2),
        patch_size=int(patch_size[0]),
        image_size=size,
    )


def _image_size(teacher: Encoder) -> Any:
    """The input size of a teacher of another library; the built-in one takes two views of 224."""
    preprocessing: Preprocessing | None = getattr(teacher, "preprocessing", None)
    if preprocessing is None and hasattr(teacher, "export_source"):
        preprocessing = teacher.export_source().preprocessing
    if preprocessing is None:
        return HALF_VIT_B_32.image_size
    height, width = preprocessing.crop
    return height if height == width else [height, width]


def _halve_text_tower(text_config: Mapping[str, Any]) -> dict[str, Any]:
    """Halve the width, layers and heads of a text tower in open_clip's config."""
    full = {"width": 512, "heads": 8, "layers": 12, **text_config}
    width, heads = max(1, full["width"] // 2), max(1, full["heads"] // 2)
    while width % heads:
        heads -= 1
    layers = max(1, full["layers"] // 2)
    return {**full, "width": width, "heads": heads, "layers": layers, "output_tokens": False}
