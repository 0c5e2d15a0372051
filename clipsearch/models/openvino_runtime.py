"""OpenVINO on the CPU; the only module that imports openvino."""

import hashlib
import os
import shutil
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
from clipsearch.temporary_folder import NEW, TemporaryFolder
from clipsearch.types import Vectors

VERIFIED = "verified"
"""Marker file: the compiled graph in this folder gives the same results as an uncached one."""

INT8_SETS = frozenset({"avx2_vnni", "avx512", "amx_int8", "neon_dotprod", "neon_i8mm"})
"""Instruction sets with which int8 is faster than float32; AVX-512 is even without VNNI."""

_MACHINE = ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")


class Graph:
    """A saved graph with one output, compiled on first use; calls from threads are serialized.

    With `bf16` it computes in bfloat16 if the processor supports that, else in float32. With
    `chunk`, a batch is split into chunks of at most so many rows, one per core at a time: the
    activations of a convolution then stay in the cache of the core, and no core waits for another.
    Without it, all cores share the whole batch, which is faster for a single row. `cache` is a
    folder in which `save_compiled` saves compiled graphs, which halves the compile time.
    """

    def __init__(
        self,
        path: Path,
        *,
        bf16: bool = False,
        chunk: int | None = None,
        cache: Path | None = None,
    ) -> None:
        self.path = path
        self._bf16 = bf16
        self._chunk = chunk
        self._cache = cache
        self._requests: list[Any] = []
        self._lock = threading.Lock()

    @property
    def is_loaded(self) -> bool:
        """Whether the graph is compiled."""
        return bool(self._requests)

    def __call__(self, *inputs: NDArray[Any]) -> Vectors:
        """Run on arrays in the graph's order of inputs, n rows each; return its output, n rows.

        Raises ModelError if the file is missing or damaged, or if the inputs do not fit.
        """
        with self._lock:
            if not self._requests:
                self._requests = self._compile()
            try:
                return self._run(inputs)
            except RuntimeError as error:
                shapes = ", ".join(f"{x.dtype}{list(x.shape)}" for x in inputs)
                reason = last_line(error)
                raise ModelError(f"{self.path.name} does not accept {shapes}: {reason}") from error

    def _run(self, inputs: Sequence[NDArray[Any]]) -> Vectors:
        count = len(inputs[0])
        step = min(self._chunk, -(-count // len(self._requests))) if self._chunk else count
        running: deque[Any] = deque()
        outputs: list[Vectors] = []

        def collect() -> None:
            request = running.popleft()
            request.wait()
            outputs.append(request.get_output_tensor(0).data.copy())  # the next chunk overwrites it

        try:
            for start, request in zip(range(0, count, step), cycle(self._requests), strict=False):
                if len(running) == len(self._requests):
                    collect()
                request.start_async([x[start : start + step] for x in inputs], share_inputs=True)
                running.append(request)
            while running:
                collect()
        finally:
            # They read our arrays, which must outlive them. All of them: Ctrl-C may come after one
            # has started and before it is in `running`.
            for request in self._requests:
                request.wait()
        return np.concatenate(outputs)

    def save_compiled(self, batches: Sequence[Sequence[NDArray[Any]]]) -> None:
        """Save the compiled graph in `cache` if its results for these inputs are identical.

        For some graphs they are not: OpenVINO 2026.4 then crashes, fails or returns NaN.
        """
        folder = self._compiled_folder()
        if folder is None or (folder / VERIFIED).exists():
            return
        expected = [self(*inputs) for inputs in batches]
        twin = Graph(self.path, bf16=self._bf16, chunk=self._chunk, cache=self._cache)
        try:
            # A kill leaves no part of a compiled graph under its final name.
            with TemporaryFolder(folder.parent, NEW) as work:
                for _ in range(2):  # the first pass writes the cache, the second one reads it
                    twin._requests = twin._compile(work)
                outputs = [twin(*inputs) for inputs in batches]
                if all(np.array_equal(a, b) for a, b in zip(expected, outputs, strict=True)):
                    (work / VERIFIED).touch()
                    work.chmod(0o755)
                    shutil.rmtree(folder, ignore_errors=True)
                    work.rename(folder)
        except (ModelError, OSError):
            pass  # then each process compiles from scratch

    def _compiled_folder(self) -> Path | None:
        """The folder of the compiled graph for these options and this machine, if any."""
        if self._cache is None or not os.access(self._cache, os.W_OK):
            return None
        core = load_openvino().Core()
        machine = [core.get_property("CPU", name) for name in _MACHINE]
        machine.append(sorted(cpu.instruction_sets()))
        key = repr((self.path.name, self._options(), machine))
        return self._cache / hashlib.sha256(key.encode()).hexdigest()[:16]

    def _options(self) -> dict[str, str]:
        options = {
            # Without a hint OpenVINO uses float16 on some processors, which has fewer digits.
            "INFERENCE_PRECISION_HINT": "bf16" if self._bf16 and has_bf16() else "f32",
            "PERFORMANCE_HINT": "THROUGHPUT" if self._chunk else "LATENCY",
        }
        if not has_int8():  # OpenVINO may round activations all the same, and then fails
            options["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0"
        if cpu.available() < (os.cpu_count() or 1):  # OpenVINO ignores a container's quota
            options["INFERENCE_NUM_THREADS"] = str(cpu.available())
        return options

    def _compile(self, unverified: Path | None = None) -> list[Any]:
        """Compile, with the cache folder `unverified` or else the verified one."""
        # The file belongs to the package or to the user's cache.
        repair = f"delete {self.path.parent}" if self._cache else "install the package again"
        if not self.path.is_file():
            raise ModelError(f"{self.path} is missing: {repair}")
        options = self._options()
        folder = unverified or self._compiled_folder()
        if folder and (unverified or (folder / VERIFIED).exists()):
            # Without the weights, which are in the graph's own file. OpenVINO rewrites a damaged
            # cache.
            options |= {"CACHE_DIR": str(folder), "CACHE_MODE": "OPTIMIZE_SIZE"}
        try:
            compiled = load_openvino().Core().compile_model(str(self.path), "CPU", options)
            requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            return [compiled.create_infer_request() for _ in range(requests)]
        except RuntimeError as error:
            reason = last_line(error)
            raise ModelError(f"{self.path} cannot be read ({reason}): {repair}") from error


def has_bf16() -> bool:
    """Whether the runtime has bfloat16 instructions: those of the processor that are permitted."""
    capabilities = load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    # OpenVINO reports what the processor has, whatever the environment permits.
    permitted = not cpu.is_limited() or any("bf16" in name for name in cpu.instruction_sets())
    return "BF16" in capabilities and permitted


def has_int8() -> bool:
    """Whether the runtime may have instructions that make int8 fast."""
    if sys.platform == "win32" and not cpu.is_limited():
        return True  # it does not tell
    return bool(cpu.instruction_sets() & INT8_SETS)


def save_graph(
    path: Path, module: Any, examples: Sequence[Any], shapes: Sequence[Sequence[int]]
) -> None:
    """Convert a torch module, traced on example tensors, to a graph with float32 weights.

    `shapes` are those of its inputs, with -1 for a variable size. Raises ModelError if OpenVINO
    cannot represent the module, and OSError if it cannot be written.
    """
    openvino = load_openvino()
    try:
        model = openvino.convert_model(
            module,
            example_input=tuple(examples),
            input=[openvino.PartialShape(list(shape)) for shape in shapes],
        )
    except OSError:
        raise
    except Exception as error:  # tracing runs the model's own code
        raise ModelError(f"OpenVINO cannot convert it: {last_line(error)}") from error
    save_model(model, path)


def save_model(model: Any, path: Path) -> None:
    """Write a model of OpenVINO with its own weights; raise OSError if that fails."""
    try:
        load_openvino().save_model(model, path, compress_to_fp16=False)
    except RuntimeError as error:  # on a full disk
        raise OSError(f"{path.name} cannot be written: is the disk full?") from error


def load_openvino() -> Any:
    """Import openvino without its usage reports over the network."""
    # If this package exists, openvino imports it and sends a usage report over the network. Hiding
    # it saves about 0.5 s of a cold query (measured in alternation).
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def last_line(error: Exception) -> str:
    """The last line of the message of an error of OpenVINO."""
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
