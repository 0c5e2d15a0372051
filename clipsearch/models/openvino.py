"""OpenVINO on the CPU: the only importer of openvino."""

import sys
import threading
from collections import deque
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ModelError
from clipsearch.types import Vectors


class Graph:
    """A saved graph with one output, compiled when first used; calls from threads take turns.

    `fast` computes in bfloat16 where the processor has it, else (and by default) in float32.
    With `chunk`, a batch is cut into pieces of so many rows, and each core works on a piece of its
    own: what a convolution leaves then stays in the cache, and no core waits for another. Without,
    all cores work on the whole batch, which is the quicker way for a single row.
    """

    def __init__(self, path: Path, *, fast: bool = False, chunk: int | None = None) -> None:
        self.path = path
        self._fast = fast
        self._chunk = chunk
        self._requests: list[Any] = []
        self._lock = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the graph is compiled yet."""
        return bool(self._requests)

    def __call__(self, *inputs: NDArray[Any]) -> Vectors:
        """Run on arrays in the graph's order of inputs, n rows each; return its output, n rows.

        Raises ModelError where the file is missing or damaged, or does not take these inputs.
        """
        with self._lock:
            if not self._requests:
                self._requests = self._compile()
            try:
                return self._run(inputs)
            except RuntimeError as error:
                shapes = ", ".join(f"{x.dtype}{list(x.shape)}" for x in inputs)
                reason = _last_line(error)
                raise ModelError(f"{self.path.name} does not take {shapes}: {reason}") from error

    def _run(self, inputs: Sequence[NDArray[Any]]) -> Vectors:
        count = len(inputs[0])
        step = self._chunk or count
        running: deque[Any] = deque()
        done: list[Vectors] = []

        def collect() -> None:
            request = running.popleft()
            request.wait()
            done.append(request.get_output_tensor(0).data.copy())  # the next piece overwrites it

        try:
            for start, request in zip(range(0, count, step), cycle(self._requests), strict=False):
                if len(running) == len(self._requests):
                    collect()
                request.start_async([x[start : start + step] for x in inputs], share_inputs=True)
                running.append(request)
            while running:
                collect()
        finally:
            for request in running:
                request.wait()  # it reads our arrays: they must outlive it
        return np.concatenate(done)

    def _compile(self) -> list[Any]:
        if not self.path.is_file():
            raise ModelError(f"{self.path} is missing: install the package again")
        openvino = _openvino()
        core = openvino.Core()
        bf16 = self._fast and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        options = {
            # Without a hint OpenVINO takes float16 on some processors: fewer digits, unasked.
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "PERFORMANCE_HINT": "THROUGHPUT" if self._chunk else "LATENCY",
        }
        try:
            compiled = core.compile_model(str(self.path), "CPU", options)
            requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            return [compiled.create_infer_request() for _ in range(requests)]
        except RuntimeError as error:
            reason = _last_line(error)
            raise ModelError(
                f"{self.path} cannot be read ({reason}): install the package again"
            ) from error


def _openvino() -> Any:
    # Importing openvino reports the import to its makers, over the network, when this is found.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _last_line(error: Exception) -> str:
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
