"""Calibrate an image graph in int8 with NNCF, in a process of its own.

NNCF prints its progress, changes the logging of the process, and imports torch where that is
installed, which takes seconds. The arguments are the graph, the one to write, and a file of the
images, (n, 3, H, W) float32. It ends when its standard input is closed.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.models.int8 import NOT_WRITTEN
from clipsearch.models.openvino_runtime import load_openvino, save_model
from clipsearch.models.row_loop import convert_body


def main(source: str, target: str, images: str) -> None:
    """Write the calibrated graph."""
    openvino = load_openvino()  # it also keeps NNCF from reporting over the network
    for name in ("torch", "onnx"):
        sys.modules[name] = None  # type: ignore[assignment]
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    pixels = np.load(images, mmap_mode="r")

    def quantize(model: Any) -> Any:
        quantized = nncf.quantize(
            model,
            nncf.Dataset([np.array(image[None]) for image in pixels]),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(pixels),
            advanced_parameters=AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.ENABLE,
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
            ),
        )
        if not any(op.get_type_name() == "FakeQuantize" for op in quantized.get_ops()):
            sys.exit("it has no operations in int8")
        return quantized

    model = convert_body(openvino.Core().read_model(source), quantize)
    save_model(model, Path(target))


def end_with_parent() -> None:
    """Wait until the parent closes the pipe, or the system does so after a kill."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        main(*sys.argv[1:])
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(NOT_WRITTEN)
