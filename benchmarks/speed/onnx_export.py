"""The model with random weights as ONNX, for tools that run ONNX models."""

import shutil
from pathlib import Path

import open_clip
import torch

from benchmarks.speed.random_checkpoint import ARCHITECTURE, WEIGHTS, make_checkpoint, new_folder

OPSET = 17


def export_onnx(folder: Path) -> None:
    """Export both towers to ONNX, with input `input` and output `output`, and the vocabulary."""
    model = open_clip.create_model(ARCHITECTURE)
    model.load_state_dict(torch.load(make_checkpoint() / WEIGHTS, weights_only=True))
    size = model.visual.image_size[0]
    unfinished = new_folder(folder)
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
