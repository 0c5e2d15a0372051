"""ONNX graphs on OpenVINO: what they take, and how they become graphs for batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ModelError
from clipsearch.models.openvino_runtime import last_line, load_openvino
from clipsearch.models.row_loop import loop_rows
from clipsearch.types import Vectors

QUICK_GELU = 1.702
"""The factor in x · sigmoid(1.702 x), the activation of OpenAI's models."""

_QUANTIZED_SIZE = 1 << 16
_SHAPE_SIZE = 8
"""A constant with no more integers than this may be a shape."""
Arrays = Sequence[NDArray[Any]]
Rows = Callable[[Arrays], Vectors]
"""Embeds n rows of each input as (n, d) float32."""
Check = Callable[[Rows], bool]


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A tower in a file: images or texts in, one embedding each out.

    `takes_bytes` is whether an image tower takes pixels from 0 to 255, (n, H, W, 3), and normalizes
    them itself; others take normalized (n, 3, H, W). `is_masked` is whether a text tower takes a
    mask after the token ids.
    """

    path: Path
    dim: int
    takes_bytes: bool
    is_masked: bool
    is_quantized: bool
    uses_quick_gelu: bool


def read_graph(path: Path, *, image: bool) -> OnnxGraph:
    """Read the facts of a tower; raise ModelError if the file is damaged or is not a tower."""
    model = _read(path)
    ranks = [tensor.partial_shape.rank.get_length() for tensor in model.inputs[:1]]
    if ranks != [4 if image else 2]:
        kind = "images" if image else "token ids"
        raise ModelError(f"{path} is not a tower of CLIP: it does not take {kind}")
    outputs = [tensor.partial_shape for tensor in model.outputs]
    if len(outputs) != 1 or outputs[0].rank.get_length() != 2 or outputs[0][1].is_dynamic:
        raise ModelError(f"{path} is not a tower of CLIP: it must return one embedding a row")
    constants = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    return OnnxGraph(
        path=path,
        dim=outputs[0][1].get_length(),
        takes_bytes=_takes_bytes(model),
        is_masked=len(model.inputs) == 2,
        is_quantized=any(_is_quantized(constant) for constant in constants),
        uses_quick_gelu=any(_is_quick_gelu(constant) for constant in constants),
    )


def open_rows(path: Path, *, image: bool) -> Rows:
    """The tower as published, as a function that embeds rows one at a time, in float32."""
    run = _rows(_compile(_with_plain_inputs(_read(path), image=image)))

    def run_each(arrays: Arrays) -> Vectors:
        rows = range(len(arrays[0]))
        return np.concatenate([run([array[row : row + 1] for array in arrays]) for row in rows])

    return run_each


def batched(
    path: Path, forms: Sequence[tuple[Sequence[int], Check]], *, context: int = 0
) -> tuple[Any, Sequence[int]]:
    """A tower as a model for batches, in the first form that passes its check; also its shape.

    `forms` are shapes of an input, -1 for a variable size, the best one first. A graph for a batch
    of one often has that size in its constants; a loop then runs it row by row, which is at most a
    fifth slower. A text tower has the length `context`, and may take shorter texts. Raises
    ModelError if no form passes.
    """
    for shape, check in forms:
        for convert in (_reshaped, _looped):
            try:
                model = _with_plain_inputs(_read(path), image=not context)
                if context and shape[1] == -1:
                    _shorten(model, context)
                model = convert(model, shape)
                if check(_rows(_compile(model))):
                    return model, shape
            except (RuntimeError, ModelError):  # OpenVINO's, at any of these steps
                continue
    raise ModelError(f"{path} gives other embeddings in a batch than for single rows")


def _read(path: Path) -> Any:
    frontend = load_openvino().frontend.FrontEndManager().load_by_framework("onnx")
    try:  # `Core.read_model` tries other formats as well, which print errors
        return frontend.convert(frontend.load(path))
    except Exception as error:
        raise ModelError(f"{path} cannot be read ({last_line(error)})") from error


def _compile(model: Any) -> Any:
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    return load_openvino().Core().compile_model(model, "CPU", options)


def _rows(compiled: Any) -> Rows:
    return lambda arrays: np.array(compiled(list(arrays))[0], np.float32)


def _takes_bytes(model: Any) -> bool:
    shape = model.input(0).partial_shape
    return bool(len(shape) == 4 and shape[3] == 3 and shape[1] != 3)


def _with_plain_inputs(model: Any, *, image: bool) -> Any:
    """Let a tower take (n, 3, H, W) float32, or int64 token ids, and return float32."""
    openvino = load_openvino()
    processor = openvino.preprocess.PrePostProcessor(model)
    for index in range(len(model.inputs)):
        tensor = processor.input(index).tensor()
        tensor.set_element_type(openvino.Type.f32 if image else openvino.Type.i64)
        if image and _takes_bytes(model):
            tensor.set_layout(openvino.Layout("NCHW"))
            processor.input(index).model().set_layout(openvino.Layout("NHWC"))
    processor.output(0).tensor().set_element_type(openvino.Type.f32)
    return processor.build()


def _reshaped(model: Any, shape: Sequence[int]) -> Any:
    openvino = load_openvino()
    model.reshape({tensor: openvino.PartialShape(list(shape)) for tensor in model.inputs})
    return model


def _shorten(model: Any, context: int) -> None:
    """Cut what a text tower holds for each of its `context` positions to the length of its input.

    That is every constant with such a dimension (position embeddings, the mask), and the number
    itself in the shapes that a tracing exporter wrote down. It also finds equal numbers that mean
    something else; only a comparison of the embeddings tells.
    """
    opset = load_openvino().opset13
    shape = opset.shape_of(model.get_parameters()[0])
    length = opset.gather(shape, opset.constant([1], np.int64), opset.constant(0, np.int64))
    for constant in [op for op in model.get_ordered_ops() if op.get_type_name() == "Constant"]:
        axes = [axis for axis, size in enumerate(constant.shape) if size == context]
        kind = constant.get_element_type()
        targets = constant.output(0).get_target_inputs()
        if axes:
            starts, steps = ([value] * len(axes) for value in (0, 1))
            stops = opset.concat([length] * len(axes), 0)
            cut = opset.slice(constant, starts, stops, steps, axes)
        elif kind.is_integral() and constant.data.size <= _SHAPE_SIZE:
            values = constant.data
            if context not in values:
                continue
            number = opset.convert(length, kind.get_type_name())
            number = number if values.ndim else opset.squeeze(number, [0])
            is_length = (values == context).astype(values.dtype)
            cut = opset.add(values - context * is_length, opset.multiply(is_length, number))
        else:
            continue
        for target in targets:
            target.replace_source_output(cut.output(0))
    model.validate_nodes_and_infer_types()


def _looped(model: Any, shape: Sequence[int]) -> Any:
    return loop_rows(_reshaped(model, [1, *shape[1:]]), shape)


def _is_quantized(constant: Any) -> bool:
    kind = constant.get_element_type()
    is_byte = kind.is_integral() and kind.size == 1
    return bool(is_byte and constant.data.size >= _QUANTIZED_SIZE)


def _is_quick_gelu(constant: Any) -> bool:
    kind = constant.get_element_type()
    if not kind.is_real() or int(np.prod(list(constant.shape))) != 1:
        return False
    return abs(float(constant.data.reshape(-1)[0]) - QUICK_GELU) < 1e-3
