"""Graphs in int8: calibrated where NNCF is installed, else with 8-bit weights alone.

A calibrated graph multiplies int8 by int8 (Jacob et al. 2018, "Quantization and training of neural
networks for efficient integer-arithmetic-only inference"), which is the fastest on processors with
VNNI or AMX. With 8-bit weights alone, OpenVINO rounds the activations while it runs, in groups,
which is closer to float32 but slower. Both use one scale per channel of the weights.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.errors import ModelError
from clipsearch.models.openvino_runtime import load_openvino, save_model
from clipsearch.models.row_loop import convert_body
from clipsearch.temporary_folder import TemporaryFolder
from clipsearch.types import Pixels

MIN_COMPRESSED = 1 << 16
"""Matrices with fewer numbers than this keep their float32 weights."""

CALIBRATED, WEIGHTS = "calibrated", "weights"
"""The two kinds of int8 graphs."""

NOT_WRITTEN = 74
"""Exit status of the process that calibrates if it cannot write, as on a full disk."""

_OF_OTHERS = (signal.SIGINT, signal.SIGTERM, 9)  # 9 is SIGKILL, which Windows does not name

INT8_EXTRA = "pip install 'clipsearch[int8]'"


def can_calibrate() -> bool:
    """Whether NNCF is installed, which calibration needs; imports nothing."""
    return find_spec("nncf") is not None


def calibrate(source: Path, target: Path, images: Sequence[Pixels]) -> None:
    """Copy an image graph, computing its convolutions and matrix products in int8.

    The ranges of activations are those of `images`, each one input of the graph. SmoothQuant
    (Xiao et al. 2023) moves outliers of activations, which transformers have, into the weights.
    Weights have 7 bits: with 8, sums overflow on processors without VNNI, and vectors would depend
    on the processor. Raises ModelError if NNCF fails, and OSError if that does not depend on the
    model: the disk is full, or the process was ended.
    """
    with TemporaryFolder() as folder:
        file = folder / "images.npy"
        try:
            np.save(file, np.stack(images))
        except OSError as error:  # NumPy's has no reason
            raise OSError(f"{file} cannot be written: is the disk full?") from error
        command = [sys.executable, "-m", "clipsearch.models.calibration_process"]
        with subprocess.Popen(
            [*command, str(source), str(target), str(file)],
            stdin=subprocess.PIPE,  # closed when this process ends, which ends the other one
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        ) as process:
            assert process.stderr is not None
            try:
                errors = process.stderr.read()
            except BaseException:  # Ctrl-C: it would write into a folder that is being removed
                process.kill()
                raise
    lines = [line for line in errors.splitlines() if line.strip()]
    reason = lines[-1] if lines else f"status {process.returncode}"
    if process.returncode == NOT_WRITTEN:
        raise OSError(reason)
    if -process.returncode in _OF_OTHERS:
        raise OSError("somebody, or a lack of memory, ended the process that calibrates")
    if process.returncode:
        raise ModelError(f"NNCF cannot calibrate {source.name}: {reason}")


def compress(source: Path, target: Path) -> None:
    """Copy a graph with 8-bit weights of its matrices: one scale and one offset per channel.

    Biases, convolutions and small tables do not change. Raises OSError if it cannot be written.
    """
    model = load_openvino().Core().read_model(source)
    save_model(convert_body(model, _compress), target)


def _compress(model: Any) -> Any:
    opset: Any = load_openvino().opset13
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind not in ("MatMul", "Gather"):
            continue
        weights_input = 0 if kind == "Gather" else 1
        weights = node.input_value(weights_input).get_node()
        if weights.get_type_name() != "Constant" or len(weights.shape) != 2:
            continue
        values = weights.data
        if values.dtype != np.float32 or values.size < MIN_COMPRESSED:
            continue
        # A channel holds the weights of one output number: a row, or a column for x @ W.
        axis = 0 if kind == "MatMul" and not node.get_attributes()["transpose_b"] else 1
        low = np.minimum(values.min(axis=axis, keepdims=True), 0)
        high = np.maximum(values.max(axis=axis, keepdims=True), 0)
        scale = np.maximum((high - low) / 255, np.finfo(np.float32).tiny).astype(np.float32)
        zero_point = np.round(-low / scale)
        levels = np.clip(np.round(values / scale) + zero_point, 0, 255).astype(np.uint8)
        integers = opset.convert(opset.constant(levels), "f32")
        offset = opset.convert(opset.constant(zero_point.astype(np.uint8)), "f32")
        restored = opset.multiply(opset.subtract(integers, offset), opset.constant(scale))
        node.input(weights_input).replace_source_output(restored.output(0))
    return model
