"""Calibrate an image graph in int8 with NNCF, in a process of its own.

NNCF prints its progress, changes the logging of the process, and imports torch where that is
installed, which takes seconds. The arguments are the graph, the one to write, and a file of the
images, (n, 3, H, W) float32.
"""

import sys
from pathlib import Path

import numpy as np

from clipsearch.models.openvino_runtime import load_openvino


def main(source: str, target: str, images: str) -> None:
    """Write the calibrated graph."""
    openvino = load_openvino()  # it also keeps NNCF from reporting over the network
    for name in ("torch", "onnx"):
        sys.modules[name] = None  # type: ignore[assignment]
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    pixels = np.load(images, mmap_mode="r")
    quantized = nncf.quantize(
        openvino.Core().read_model(source),
        nncf.Dataset([np.array(image[None]) for image in pixels]),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pixels),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE,
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
        ),
    )
    openvino.save_model(quantized, Path(target), compress_to_fp16=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
