"""Convert torch modules to OpenVINO graphs, compress and save them."""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from clipsearch.models.library_output import quiet
from clipsearch.models.pocket.encoder import INPUT_SIZE
from clipsearch.models.pocket.query_words import query_arrays

MAX_TOKENS = 256
COMPRESSED_FROM = 65_536  # numbers in a matrix; smaller ones are left alone
RELEASE_FILES = (
    *("image.xml", "image.bin", "head.xml", "head.bin"),
    *("text.xml", "text.bin", "tokenizer.json"),
)


def _openvino() -> Any:
    # If this package is installed, importing openvino reports the import over the network.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _convert(module: nn.Module, example: tuple[Tensor, ...], shapes: list[list[int]]) -> Any:
    ov = _openvino()
    with quiet():  # torch's tracer is deprecated, and constants are intended
        partial = [ov.PartialShape(shape) for shape in shapes]
        return ov.convert_model(module.eval(), example_input=example, input=partial)


def image_graph(module: nn.Module, *, side: int = INPUT_SIZE) -> Any:
    """Convert a module that takes uint8 images (n, side, side, 3), for any n."""
    return _convert(
        module, (torch.zeros(3, side, side, 3, dtype=torch.uint8),), [[-1, side, side, 3]]
    )


def row_graph(module: nn.Module, *lengths: int) -> Any:
    """Convert a module that takes rows (n, length), one input for each of `lengths`."""
    rows = tuple(torch.rand(3, length) for length in lengths)
    return _convert(module, rows, [[-1, length] for length in lengths])


def place_graph(module: nn.Module, channels: int, places: int) -> Any:
    """Convert a module that takes places (n, channels, places)."""
    return _convert(module, (torch.rand(3, channels, places),), [[-1, channels, places]])


def text_graph(module: nn.Module, *, reading: bool = False) -> Any:
    """Convert a module that takes token ids and mask, for any number and length of texts.

    With `reading`, it also takes the letters and shares of `clipsearch.models.pocket.query_words`.
    """
    tokens = torch.ones(2, 5, dtype=torch.int64)
    if not reading:
        return _convert(module, (tokens, tokens), [[-1, -1], [-1, -1]])
    letters, shares = map(torch.from_numpy, query_arrays(["the word love", "a dog"]))
    shapes = [[-1, -1], [-1, -1], [-1, *letters.shape[1:]], [-1, *shares.shape[1:]]]
    return _convert(module, (tokens, tokens, letters, shares), shapes)


def operators() -> Any:
    """Return OpenVINO's operators, with which graphs are changed."""
    return _openvino().opset13


def read_graph(path: Path) -> Any:
    """Read a saved graph."""
    return _openvino().Core().read_model(str(path))


def graph(output: Any, inputs: Sequence[Any]) -> Any:
    """Return the graph of one output, whose nodes may come from several graphs."""
    return _openvino().Model([output], list(inputs))


def spliced(model: Any, inputs: Sequence[Any]) -> Any:
    """Feed `inputs`, outputs of another graph, to a graph, and return its output."""
    for parameter, source in zip(model.get_parameters(), inputs, strict=True):
        for target in parameter.output(0).get_target_inputs():
            target.replace_source_output(source)
    return model.get_results()[0].input_value(0)


def compress_rows(model: Any) -> None:
    """Replace large float matrices by int8 with one scale per row, in place.

    A row is an output of a linear layer or a token embedding.
    """
    ov = _openvino()
    ops = ov.opset13
    for node in model.get_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != ov.Type.f32:
            continue
        data = node.data
        if data.ndim != 2 or data.size < COMPRESSED_FROM:
            continue
        scale = np.maximum(np.abs(data).max(1, keepdims=True) / 127, 1e-12).astype(np.float32)
        small = ops.constant(np.rint(data / scale).astype(np.int8))
        restored = ops.multiply(ops.convert(small, "f32"), ops.constant(scale))
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(restored.output(0))


def compute_in_int8(model: Any, images: NDArray[np.uint8], *, but: Sequence[str]) -> Any:
    """Quantize the convolutions and matrix products of an image graph to int8.

    The ranges are calibrated on `images` (n, 224, 224, 3) (Jacob et al. 2018, "Quantization and
    training of neural networks for efficient integer-arithmetic-only inference"). Parts whose name
    is in `but` are not quantized. Weights have 7 bits: with 8, sums overflow on processors without
    VNNI, and vectors would depend on the processor.
    """
    _openvino()  # first, so that nncf does not report either
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    return nncf.quantize(
        model,
        nncf.Dataset([image[None] for image in images]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(patterns=[f".*{name}.*" for name in but]),
        advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
    )


def save_graph(model: Any, path: Path, *, half: bool = True) -> None:
    """Write `path` (.xml) and its .bin; floats become float16 unless `half` is False."""
    _openvino().save_model(model, path, compress_to_fp16=half)


def load_tokenizer(source: bytes) -> Tokenizer:
    """Load tokenizer.json; pad to the longest text of a batch and truncate at the model's limit."""
    tokenizer = Tokenizer.from_str(source.decode("utf-8"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer


def save_manifest(folder: Path, *, dim: int, scale: float) -> None:
    """Write the manifest, with the hash of the released files that identifies the model."""
    digest = hashlib.sha256()
    for name in RELEASE_FILES:
        digest.update((folder / name).read_bytes())
    manifest = {"dim": dim, "weights": digest.hexdigest()[:32], "logit_scale": scale}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
