"""OpenVINO models that run another one, for a batch of one, on each row of their inputs."""

from collections.abc import Callable, Sequence
from typing import Any

from clipsearch.models.openvino_runtime import load_openvino

_LOOP = "TensorIterator"


def loop_rows(body: Any, shape: Sequence[int]) -> Any:
    """A model that runs `body`, whose inputs have one row, on each row of inputs of this shape."""
    openvino = load_openvino()
    opset = openvino.opset13
    loop = opset.tensor_iterator()
    loop.set_body(body)
    parameters = []
    for inner in body.get_parameters():
        outer = opset.parameter(openvino.PartialShape(list(shape)), inner.get_element_type())
        outer.output(0).set_names(inner.output(0).get_names())
        loop.set_sliced_input(inner, outer.output(0), 0, 1, 1, -1, 0)
        parameters.append(outer)
    rows = loop.get_concatenated_slices(body.get_results()[0].output(0), 0, 1, 1, -1, 0)
    return openvino.Model([opset.result(rows)], parameters, "rows")


def convert_body(model: Any, convert: Callable[[Any], Any]) -> Any:
    """Return what `convert` makes of a model, or the same loop around what it makes of its body."""
    loops = [op for op in model.get_ops() if op.get_type_name() == _LOOP]
    kinds = {op.get_type_name() for op in model.get_ops()}
    if len(loops) != 1 or kinds != {"Parameter", _LOOP, "Result"}:
        return convert(model)
    loops[0].set_body(convert(loops[0].get_body()))
    model.validate_nodes_and_infer_types()
    return model
