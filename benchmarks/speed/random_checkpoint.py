"""A model for all tools: an architecture that each of them supports, with random weights.

Speed does not depend on the values of weights. Everything is made once, under `.cache/benchmarks`.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import open_clip
import torch

CACHE = Path(".cache/benchmarks").absolute()
ARCHITECTURE = "ViT-B-32-256"
WEIGHTS = "open_clip_model.bin"
CONFIG = "open_clip_config.json"
OPSET = 17


def make_checkpoint(architecture: str = ARCHITECTURE) -> Path:
    """Create a model folder for `local-dir:`, once."""
    folder = CACHE / architecture
    if not folder.is_dir():
        torch.manual_seed(0)
        model = open_clip.create_model(architecture)
        unfinished = _new_folder(folder)
        torch.save(model.state_dict(), unfinished / WEIGHTS)
        config = {
            "model_cfg": open_clip.get_model_config(architecture),
            "preprocess_cfg": open_clip.get_model_preprocess_cfg(model),
        }
        (unfinished / CONFIG).write_text(json.dumps(config))
        unfinished.rename(folder)
    return folder


def export_onnx(folder: Path) -> None:
    """Export both towers to ONNX, with input `input` and output `output`, and the vocabulary."""
    if folder.is_dir():
        return
    if not importlib.util.find_spec("onnx"):
        sys.exit("the ONNX export needs the package onnx: pip install 'clipsearch[bench]'")
    model = open_clip.create_model(ARCHITECTURE)
    model.load_state_dict(torch.load(make_checkpoint() / WEIGHTS, weights_only=True))
    size = model.visual.image_size[0]
    unfinished = _new_folder(folder)
    image_tower, text_tower = _Tower(model, "encode_image"), _Tower(model, "encode_text")
    _export(image_tower, torch.zeros(2, 3, size, size), unfinished / "visual.onnx")
    tokens = open_clip.get_tokenizer(ARCHITECTURE)(["a", "b"])
    _export(text_tower, tokens, unfinished / "textual.onnx")
    (unfinished / "tokenizer").mkdir()
    vocabulary = Path(open_clip.__file__).with_name("bpe_simple_vocab_16e6.txt.gz")
    shutil.copy(vocabulary, unfinished / "tokenizer")
    unfinished.rename(folder)


class _Tower(torch.nn.Module):  # type: ignore[misc]
    """One of a model's towers as a module, so that its parameters are exported with it."""

    def __init__(self, model: torch.nn.Module, method: str) -> None:
        super().__init__()
        self.model = model
        self._method = method

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = getattr(self.model, self._method)(batch)
        return vectors


def _export(tower: _Tower, example: torch.Tensor, path: Path) -> None:
    torch.backends.mha.set_fastpath_enabled(False)  # it has no ONNX form
    with torch.no_grad():
        torch.onnx.export(
            tower.eval(),
            (example,),
            str(path),
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "n"}, "output": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )


def _new_folder(folder: Path) -> Path:
    """Create an empty folder next to this one, to be renamed when it is complete."""
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished
