"""OpenVINO on the CPU: the only importer of openvino."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ModelError
from clipsearch.types import Vectors

if TYPE_CHECKING:
    from types import ModuleType


class Graph:
    """A saved graph with one output, compiled when first used; calls from threads take turns.

    One request at a time uses all cores, so that a second one would only wait elsewhere.
    `fast=True` computes in bfloat16 where the processor has it, else (and by default) in float32.
    """

    def __init__(self, path: Path, *, fast: bool = False) -> None:
        self.path = path
        self._fast = fast
        self._request: Any = None
        self._lock = threading.Lock()

    def __call__(self, *inputs: NDArray[Any]) -> Vectors:
        """Run on arrays in the graph's order of inputs, any batch size; return its float32 output.

        Raises ModelError where the file is missing or damaged, or does not take these inputs.
        """
        with self._lock:
            if self._request is None:
                self._request = self._compile()
            try:
                outputs = self._request.infer(list(inputs), share_inputs=True)
            except RuntimeError as error:
                shapes = ", ".join(f"{x.dtype}{list(x.shape)}" for x in inputs)
                raise ModelError(f"{self.path.name} does not take {shapes}: {error}") from error
        return np.asarray(outputs[0], dtype=np.float32)

    def _compile(self) -> Any:
        if not self.path.is_file():
            raise ModelError(f"{self.path} is missing: install the package again")
        openvino = _openvino()
        core = openvino.Core()
        bf16 = self._fast and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # Without a hint OpenVINO takes float16 on some processors: four digits less, unasked.
        options = {"INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32"}
        try:
            return core.compile_model(str(self.path), "CPU", options).create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f"{self.path} cannot be read ({_first_line(error)}): install the package again"
            ) from error


def _openvino() -> "ModuleType":
    # Importing openvino reports the import to its makers, over the network, when this is found.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _first_line(error: Exception) -> str:
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
