"""ONNX exports of small open_clip models, in the layouts of the published ones."""

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.helpers import checkpoints


def save_onnx(
    folder: Path,
    checkpoint: Path,
    *,
    dynamic: bool = False,
    takes_bytes: bool = False,
    external: bool = False,
    flat: bool = False,
) -> Path:
    """Export the open_clip model in a folder as immich-app does, or with `flat` as rclip does.

    Normalized embeddings and a batch of one; `dynamic` exports have any batch size. With
    `takes_bytes`, pixels are (n, H, W, 3) uint8; with `external`, weights are in their own files.
    """
    pytest.importorskip("onnx")
    import open_clip
    import torch

    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{checkpoint}")
    model.eval().requires_grad_(requires_grad=False)
    config = json.loads((checkpoint / "open_clip_config.json").read_text("utf-8"))["model_cfg"]
    preprocessing = open_clip.get_model_preprocess_cfg(model)
    height, width = _pair(preprocessing["size"])
    context = config["text_cfg"].get("context_length", 77)

    def encode_image(image: Any) -> Any:
        if takes_bytes:
            mean, std = (torch.tensor(preprocessing[key]) for key in ("mean", "std"))
            image = ((image.float() / 255 - mean) / std).permute(0, 3, 1, 2)
        return model.encode_image(image, normalize=not flat)

    def encode_text(text: Any) -> Any:
        return model.encode_text(text, normalize=not flat)

    if takes_bytes:
        pixels = torch.zeros((1, height, width, 3), dtype=torch.uint8)
    else:
        pixels = torch.zeros((1, 3, height, width))
    ids = torch.ones((1, context), dtype=torch.int64 if flat else torch.int32)
    for name, encode, example in (
        ("visual", encode_image, pixels),
        ("textual", encode_text, ids),
    ):
        path = folder / (f"{name}.onnx" if flat else f"{name}/model.onnx")
        path.parent.mkdir(parents=True, exist_ok=True)
        _export(encode, model, example, path, dynamic=dynamic)
        if external:
            _move_weights(path)
    if flat:
        _save_vocabulary(folder.parent / "tokenizer")
        return folder
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    text = json.dumps(preprocessing)
    (folder / "visual" / "preprocess_cfg.json").write_text(text, encoding="utf-8")
    if "hf_tokenizer_name" in config["text_cfg"]:
        for file in checkpoint.glob("*token*.json"):
            shutil.copy(file, folder / "textual")
    else:
        save_clip_tokenizer(folder / "textual")
    return folder


@cache
def _shared_export() -> tuple[TemporaryDirectory[str], Path, Path]:
    """A small CLIP and its export, which takes seconds to make."""
    temporary = TemporaryDirectory(prefix="onnx-")
    config = checkpoints.vit_b_32()
    root = Path(temporary.name)
    model = checkpoints.save_open_clip(root / "model", config, checkpoints.CLIP_PREPROCESSING)
    return temporary, model, save_onnx(root / "export", model)


def export_of(folder: Path, name: str = "ViT-B-32__laion2b-s34b-b79k") -> tuple[Path, Path]:
    """Copy a small CLIP, for `local-dir:`, and its export, for `onnx:`, into a folder."""
    _, model, export = _shared_export()
    return (
        Path(shutil.copytree(model, folder / "model")),
        Path(shutil.copytree(export, folder / name)),
    )


def save_clip_tokenizer(folder: Path) -> None:
    """Write CLIP's tokenizer as transformers saves it."""
    from open_clip import SimpleTokenizer
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

    simple = SimpleTokenizer()
    pairs = sorted(simple.bpe_ranks, key=simple.bpe_ranks.__getitem__)
    special = {49406: "<|startoftext|>", 49407: "<|endoftext|>"}
    vocabulary = {special.get(number, piece): number for piece, number in simple.encoder.items()}
    model = BPE(
        vocab=vocabulary, merges=pairs, end_of_word_suffix="</w>", unk_token="<|endoftext|>"
    )
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens(list(special.values()))
    tokenizer.save(str(folder / "tokenizer.json"))
    config = json.dumps({"pad_token": "<|endoftext|>"})
    (folder / "tokenizer_config.json").write_text(config, encoding="utf-8")


def _save_vocabulary(folder: Path) -> None:
    import open_clip

    name = "bpe_simple_vocab_16e6.txt.gz"
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(open_clip.__file__).with_name(name), folder / name)


def _export(
    encode: Callable[[Any], Any], model: Any, example: Any, path: Path, *, dynamic: bool
) -> None:
    import torch

    class Tower(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs: Any) -> Any:
            return encode(inputs)

    name = "image" if example.ndim == 4 else "text"
    axes: Mapping[str, Any] = {name: {0: "batch"}} if dynamic else {}
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Tower(),
                (example,),
                str(path),
                input_names=[name],
                output_names=["embedding"],
                opset_version=18,
                dynamic_axes=axes,
                dynamo=False,
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


def _move_weights(path: Path) -> None:
    """Move the weights of a graph into a file beside it."""
    import onnx

    onnx.save(
        onnx.load(path),
        path,
        save_as_external_data=True,
        location=f"{path.name}.data",
        size_threshold=0,
    )


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
