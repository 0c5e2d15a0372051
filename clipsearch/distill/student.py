"""A student as a torch module: half its teacher's image tower, and a text tower."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip import CLIP, CustomTextCLIP, SimpleTokenizer

from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder
from clipsearch.models.loading import loading
from clipsearch.models.open_clip import OpenClipEncoder
from clipsearch.models.preprocess import Preprocessing

WIDTH, LAYERS, PATCH, SIZE = 384, 6, 32, 224
"""Half a ViT-B/32, for teachers whose image tower is no vision transformer."""
HEAD = 32
"""Width of a head: 12 heads of 384."""
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 256, "heads": 4, "layers": 6}
"""Half of CLIP's own text tower, for teachers whose text tower open_clip does not build."""


@dataclass(frozen=True, slots=True)
class Student:
    """`model` is a CLIP of open_clip; `config` and `preprocess` are what its folder says of it."""

    model: Any
    config: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    tokenizer: Any

    @property
    def preprocessing(self) -> Preprocessing:
        """What happens to its pictures."""
        return Preprocessing.from_open_clip(
            {**self.preprocess, "size": self.model.visual.image_size}
        )

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """(n, context) int64."""
        return self.tokenizer(list(texts))

    def save_tokenizer(self, folder: Path) -> None:
        """Write what the tokenizer needs besides the library, if anything."""
        inner = getattr(self.tokenizer, "tokenizer", None)
        if inner is not None:
            inner.save_pretrained(folder)


def parameters(module: Any) -> int:
    """How many numbers a module has learnt."""
    return sum(weight.numel() for weight in module.parameters())


def build(teacher: Encoder, name: str, *, heads: int | None, own_text: bool, seed: int) -> Student:
    """An untrained image tower beside the teacher's text tower, or with `own_text` one half as large.

    `teacher` runs on torch where it can. Raises UsageError where the teacher has no text tower that
    open_clip can build, and on heads that do not divide the width.
    """
    source = teacher if isinstance(teacher, OpenClipEncoder) else None
    if source is None and not own_text:
        raise UsageError(
            f"the text tower of {name} is none that open_clip can load, so the student needs its own: "
            "give captions to learn it from (--captions FILE)"
        )
    config = _config(source, teacher, heads, own_text=own_text)
    preprocess = _preprocess(source)
    custom = config["custom_text"] or "hf_model_name" in config["text_cfg"]
    settings = {key: deepcopy(value) for key, value in config.items() if key != "custom_text"}
    with (
        loading(name, hint="the student's text tower could not be built"),
        torch.random.fork_rng([]),
    ):
        torch.manual_seed(seed)
        model = (CustomTextCLIP if custom else CLIP)(**settings)
        if source is not None:
            _take_text(model, source.module, own_text=own_text)
        else:
            model.logit_scale.data.fill_(log(teacher.logit_scale))
    native = source is None or (own_text and "hf_model_name" in source.config["text_cfg"])
    tokenizer = SimpleTokenizer() if native else source.tokenizer  # type: ignore[union-attr]
    return Student(model.eval(), config, preprocess, tokenizer)


def _config(
    source: OpenClipEncoder | None, teacher: Encoder, heads: int | None, *, own_text: bool
) -> dict[str, Any]:
    """The student's `model_cfg`."""
    width, layers, patch, size = _shape(source, teacher)
    heads = heads or max(1, width // HEAD)
    if width % heads:
        raise UsageError(
            f"{heads} heads do not divide the student's width of {width}: try {max(1, width // HEAD)}"
        )
    vision = {"image_size": size, "layers": layers, "width": width, "head_width": width // heads,
              "patch_size": patch}  # fmt: skip
    kept: dict[str, Any] = {}
    text: dict[str, Any] = dict(TEXT)
    custom = own_text
    if source is not None:
        taught = source.config
        kept = {key: value for key in ("init_logit_scale", "init_logit_bias", "nonscalar_logit_scale", "quick_gelu")
                if (value := taught.get(key)) is not None}  # fmt: skip
        custom = own_text or not isinstance(source.module, CLIP)
        if not own_text:
            text = {**taught["text_cfg"], "output_tokens": False}
            if "hf_model_name" in text:  # the weights come with the student
                text["hf_model_pretrained"] = False
        elif "hf_model_name" not in taught["text_cfg"]:
            text = _halved(taught["text_cfg"])
    return {"embed_dim": teacher.identity.dim, "vision_cfg": vision, "text_cfg": text,
            "custom_text": custom, **kept}  # fmt: skip


def _shape(source: OpenClipEncoder | None, teacher: Encoder) -> tuple[int, int, int, Any]:
    """Width, layers, patch and input size of the student's image tower."""
    if source is None:
        return WIDTH, LAYERS, PATCH, _input_size(teacher)
    visual = source.module.visual
    size = visual.image_size
    if not isinstance(size, int):
        size = size[0] if size[0] == size[1] else list(size)
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    if blocks and hasattr(visual, "conv1"):
        width, patch = visual.conv1.out_channels, visual.patch_size
    else:  # timm's
        trunk = getattr(visual, "trunk", None)
        blocks, width = getattr(trunk, "blocks", None), getattr(trunk, "embed_dim", None)
        patch = getattr(getattr(trunk, "patch_embed", None), "patch_size", None)
    if not blocks or not isinstance(width, int) or not patch:
        return WIDTH, LAYERS, PATCH, size
    return max(1, width // 2), max(1, len(blocks) // 2), int(patch[0]), size


def _input_size(teacher: Encoder) -> Any:
    """The pixels that a model of another library looks at; the built-in one takes two views of SIZE."""
    known: Preprocessing | None = getattr(teacher, "preprocessing", None)
    if known is None and hasattr(teacher, "parts"):
        known = teacher.parts().preprocessing
    if known is None:
        return SIZE
    height, width = known.crop
    return height if height == width else [height, width]


def _preprocess(source: OpenClipEncoder | None) -> dict[str, Any]:
    """The student's `preprocess_cfg`: its teacher's; else the whole picture, squashed.

    The models of other libraries see the whole picture too.
    """
    if source is None:
        mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
        return {"mean": list(mean), "std": list(std), "interpolation": "bicubic",
                "resize_mode": "squash", "fill_color": 0}  # fmt: skip
    names = ("mean", "std", "interpolation", "resize_mode", "fill_color")
    known = source.module.visual.preprocess_cfg
    found: dict[str, Any] = json.loads(json.dumps({name: known[name] for name in names}))
    return found


def _halved(text: Mapping[str, Any]) -> dict[str, Any]:
    """Another text tower with half the width, layers and heads; as open_clip's config says them."""
    whole = {"width": 512, "heads": 8, "layers": 12, **text}
    width, heads = max(1, whole["width"] // 2), max(1, whole["heads"] // 2)
    while width % heads:
        heads -= 1
    return {**whole, "width": width, "heads": heads, "layers": max(1, whole["layers"] // 2),
            "output_tokens": False}  # fmt: skip


def _take_text(model: Any, teacher: Any, *, own_text: bool) -> None:
    """Give a student its teacher's text tower and scale, or with `own_text` the scale alone."""

    def belongs(name: str) -> bool:
        scale = name in ("logit_scale", "logit_bias")
        return scale or not (own_text or name.startswith(("visual.", "text_decoder.")))

    weights = {name: value for name, value in teacher.state_dict().items() if belongs(name)}
    left = model.load_state_dict(weights, strict=False)
    missing = [name for name in left.missing_keys if not name.startswith("visual.")]
    if left.unexpected_keys or (missing and not own_text):
        strange = [*left.unexpected_keys, *missing]
        raise RuntimeError(f"its text tower has weights of another form: {strange[0]}, …")
