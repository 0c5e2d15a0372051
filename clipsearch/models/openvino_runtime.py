"""OpenVINO on the CPU: the only importer of openvino."""

import hashlib
import os
import sys
import threading
from collections import deque
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch import cpu
from clipsearch.errors import ModelError
from clipsearch.types import Vectors

SMALL = 1 << 16
"""Weights that are not worth 8 bits: fewer numbers than these."""

PROVED = "proved"
"""The file that says that what lies beside it can be relied on."""

_MACHINE = ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")


class Graph:
    """A saved graph with one output, compiled when first used; calls from threads take turns.

    `fast` computes in bfloat16 where the processor has it, else (and by default) in float32.
    With `chunk`, a batch is cut into pieces of at most so many rows, and each core works on pieces of
    its own: what a convolution leaves then stays in the cache, and no core waits for another. Without,
    all cores work on the whole batch, which is the quicker way for a single row.
    With `cache`, a folder, what `keep_compiled` left there spares half the time of compiling.
    """

    def __init__(
        self,
        path: Path,
        *,
        fast: bool = False,
        chunk: int | None = None,
        cache: Path | None = None,
    ) -> None:
        self.path = path
        self._fast = fast
        self._chunk = chunk
        self._cache = cache
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
        step = min(self._chunk, -(-count // len(self._requests))) if self._chunk else count
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

    def keep_compiled(self, batches: Sequence[Sequence[NDArray[Any]]]) -> None:
        """Keep the steps of compiling in `cache`, if from them these inputs give the very same.

        They do not for every graph: OpenVINO (2026.4) then crashes, fails or returns NaN.
        """
        place = self._place()
        if place is None or (place / PROVED).exists():
            return
        expected = [self(*inputs) for inputs in batches]
        twin = Graph(self.path, fast=self._fast, chunk=self._chunk, cache=self._cache)
        try:
            for _ in range(2):  # the first time writes, the second time reads
                twin._requests = twin._compile(place)
            found = [twin(*inputs) for inputs in batches]
            if all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True)):
                (place / PROVED).touch()
        except (ModelError, OSError):
            pass  # then each process takes all the steps

    def _place(self) -> Path | None:
        """Where compiled steps for these options and this machine lie, if there is such a place."""
        if self._cache is None or not os.access(self._cache, os.W_OK):
            return None
        core = _openvino().Core()
        machine = [core.get_property("CPU", name) for name in _MACHINE]
        which = repr((self.path.name, self._options(), machine))
        return self._cache / hashlib.sha256(which.encode()).hexdigest()[:16]

    def _options(self) -> dict[str, str]:
        options = {
            # Without a hint OpenVINO takes float16 on some processors: fewer digits, unasked.
            "INFERENCE_PRECISION_HINT": "bf16" if self._fast and has_bf16() else "f32",
            "PERFORMANCE_HINT": "THROUGHPUT" if self._chunk else "LATENCY",
        }
        if cpu.available() < (os.cpu_count() or 1):  # of a container's quota it knows nothing
            options["INFERENCE_NUM_THREADS"] = str(cpu.available())
        return options

    def _compile(self, kept: Path | None = None) -> list[Any]:
        # Files of the package, or of the user's cache.
        repair = f"delete {self.path.parent}" if self._cache else "install the package again"
        if not self.path.is_file():
            raise ModelError(f"{self.path} is missing: {repair}")
        options = self._options()
        place = kept or self._place()
        if place and (kept or (place / PROVED).exists()):
            # Without the weights, which lie beside; OpenVINO makes a damaged file again.
            options |= {"CACHE_DIR": str(place), "CACHE_MODE": "OPTIMIZE_SIZE"}
        try:
            compiled = _openvino().Core().compile_model(str(self.path), "CPU", options)
            requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            return [compiled.create_infer_request() for _ in range(requests)]
        except RuntimeError as error:
            reason = _last_line(error)
            raise ModelError(f"{self.path} cannot be read ({reason}): {repair}") from error


def has_bf16() -> bool:
    """Whether this processor computes in bfloat16 by itself."""
    return "BF16" in _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def save_graph(
    path: Path, module: Any, examples: Sequence[Any], shapes: Sequence[Sequence[int]]
) -> None:
    """Convert a torch module, traced on example tensors, into a graph with float32 weights.

    `shapes` are those of its inputs, -1 where a size may change. Raises ModelError where the module
    does something that OpenVINO has no word for.
    """
    openvino = _openvino()
    try:
        model = openvino.convert_model(
            module,
            example_input=tuple(examples),
            input=[openvino.PartialShape(list(shape)) for shape in shapes],
        )
        openvino.save_model(model, path, compress_to_fp16=False)
    except OSError:
        raise
    except Exception as error:  # tracing runs the model's own code
        raise ModelError(f"OpenVINO cannot convert it: {_last_line(error)}") from error


def compress(source: Path, target: Path) -> None:
    """Copy a graph with the weights of its matrices in 8 bits: a scale and an offset a channel.

    Biases, convolutions and small tables stay as they are.
    """
    openvino = _openvino()
    opset = openvino.opset13
    model = openvino.Core().read_model(source)
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind not in ("MatMul", "Gather"):
            continue
        place = 0 if kind == "Gather" else 1
        weights = node.input_value(place).get_node()
        if weights.get_type_name() != "Constant" or len(weights.shape) != 2:
            continue
        values = weights.data
        if values.dtype != np.float32 or values.size < SMALL:
            continue
        # A channel is what one number of the result comes from: a row, but for x @ W a column.
        axis = 0 if kind == "MatMul" and not node.get_attributes()["transpose_b"] else 1
        low = np.minimum(values.min(axis=axis, keepdims=True), 0)
        high = np.maximum(values.max(axis=axis, keepdims=True), 0)
        step = np.maximum((high - low) / 255, np.finfo(np.float32).tiny).astype(np.float32)
        offset = np.round(-low / step)
        levels = np.clip(np.round(values / step) + offset, 0, 255).astype(np.uint8)
        whole = opset.convert(opset.constant(levels), "f32")
        middle = opset.convert(opset.constant(offset.astype(np.uint8)), "f32")
        restored = opset.multiply(opset.subtract(whole, middle), opset.constant(step))
        node.input(place).replace_source_output(restored.output(0))
    openvino.save_model(model, target, compress_to_fp16=False)


def _openvino() -> Any:
    # Importing openvino reports the import to its makers, over the network, when this is found.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _last_line(error: Exception) -> str:
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
