"""A graph of OpenVINO that several threads run at once, each call on one core."""

import queue
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch import cpu
from clipsearch.errors import ModelError
from clipsearch.models.openvino_runtime import last_line, load_openvino

_first = threading.Lock()
_has_run = threading.Event()


def _first_call() -> AbstractContextManager[object]:
    """Return a lock until one call of this process has succeeded, and nothing after that.

    OpenVINO's binding initializes itself in its first call. Two threads at once wait for each other
    forever there, one with Python's global lock and one with that of the initialization.
    """
    return nullcontext() if _has_run.is_set() else _first


class SharedGraph:
    """An ONNX file with one input and one output of variable size, compiled on first use.

    `dims` is the number of dimensions of the output. At most `cpu.available()` calls run at once,
    further ones wait. Raises ModelError if the file is damaged or of another kind.
    """

    def __init__(self, path: Path, dims: int) -> None:
        self._path = path
        self._dims = dims
        self._lock = threading.Lock()
        self._model: Any = None
        self._compiled: Any = None
        self._requests: queue.LifoQueue[Any] = queue.LifoQueue()

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run on one array and return a copy of the output; ModelError if it does not fit."""
        self._compile()
        with _first_call():
            request = self._requests.get()
            try:
                request.infer([batch], share_inputs=True)
                output: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
            except RuntimeError as error:
                reason = last_line(error)
                raise ModelError(
                    f"{self._path} does not accept {list(batch.shape)}: {reason}"
                ) from error
            finally:
                self._requests.put(request)
        _has_run.set()
        if output.ndim != self._dims:
            raise ModelError(
                f"{self._path} is a model of another kind: its output is {list(output.shape)}"
            )
        return output

    def characters(self) -> tuple[str, ...]:
        """The characters that a recognition model states in its file; empty if it does not."""
        with self._lock:
            info = self._read().get_rt_info()
        try:
            # Not by `splitlines`: some of the characters are line separators of Unicode.
            return tuple(info["framework"]["character"].value.split("\n"))
        except KeyError:
            return ()

    def _compile(self) -> None:
        with self._lock:
            if self._compiled is not None:
                return
            cores = cpu.available()
            options = {
                # One stream per core: with two cores for each, two images take a third longer.
                "NUM_STREAMS": str(cores),
                "INFERENCE_NUM_THREADS": str(cores),
                "INFERENCE_PRECISION_HINT": "f32",  # the same text on each machine
                # Kernels for each size of an input are small, but there are hundreds of sizes.
                "CPU_RUNTIME_CACHE_CAPACITY": "0",
            }
            model = self._read()
            try:
                compiled = load_openvino().Core().compile_model(model, "CPU", options)
                for _ in range(cores):
                    self._requests.put(compiled.create_infer_request())
            except RuntimeError as error:
                raise ModelError(f"{self._path} cannot be used: {last_line(error)}") from error
            self._compiled = compiled

    def _read(self) -> Any:
        if self._model is None:
            formats = load_openvino().frontend
            try:
                # `Core.read_model` guesses the format, and prints what each reader thinks of it.
                frontend = formats.FrontEndManager().load_by_framework("onnx")
                self._model = frontend.convert(frontend.load(str(self._path)))
            except (RuntimeError, formats.GeneralFailure) as error:
                raise ModelError(f"{self._path} cannot be read: {last_line(error)}") from error
        return self._model
