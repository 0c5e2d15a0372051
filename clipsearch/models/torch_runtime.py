"""The torch runtime: which device and precision, and from arrays through a model back to arrays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from clipsearch import cpu
from clipsearch.errors import ModelError, UsageError
from clipsearch.models.length_bucketing import length_buckets
from clipsearch.models.runtime import Runtime
from clipsearch.types import Pixels, Vectors

NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
"""What a model's identity says of its precision."""


class TorchRuntime:
    """A device and a precision, which run a model's functions without gradients."""

    def __init__(self, runtime: Runtime) -> None:
        """Raises ModelError where this machine has no such device, UsageError where torch has no such
        precision.
        """
        self.device = pick_device(runtime.device)
        self.dtype = _pick_precision(runtime.precision, self.device)
        if torch.get_num_threads() > cpu.available():  # of a container's quota it knows nothing
            torch.set_num_threads(cpu.available())

    @property
    def precision(self) -> str:
        """The line for a model's identity."""
        return NAMES[self.dtype]

    def infer(self, function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> Vectors:
        """Call a module's function; its (n, d) result as float32."""
        fast = self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=fast):
            outputs = function(*(tensor.to(self.device) for tensor in inputs))
            rows: Vectors = outputs.float().cpu().numpy()
        return rows

    def infer_texts(
        self, function: Callable[[torch.Tensor], torch.Tensor], ids: torch.Tensor, padding: int
    ) -> Vectors:
        """Run padded texts, (n, length) token numbers, in groups no longer than they need to be."""
        places = torch.arange(1, ids.shape[1] + 1) * (ids != padding)
        lengths = places.amax(dim=1).tolist()
        rows: dict[int, Vectors] = {}
        for group, length in length_buckets(lengths):
            found = self.infer(function, ids[group, :length])
            rows.update(zip(group, found, strict=True))
        return np.stack([rows[position] for position in range(len(lengths))])


class Tower(torch.nn.Module):  # type: ignore[misc]  # checking torch's types takes minutes
    """A function of a model as a module of its own, which is what a converter takes."""

    def __init__(self, model: torch.nn.Module, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.model = model
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """What the function returns."""
        return self.function(*inputs)


@contextmanager
def tracing() -> Iterator[Callable[[Any], torch.Tensor]]:
    """Make models traceable: no gradients, and attention in parts instead of one fused call.

    Gives the function that makes tensors of arrays.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            yield torch.from_numpy
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes CUDA, else MPS, else the CPU.

    Raises ModelError where this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)  # torch names a missing device only when it is used
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n", 1)[0]
        raise ModelError(f"device {name!r} cannot be used ({reason}): try auto or cpu") from error
    return device


def _pick_precision(name: str, device: torch.device) -> torch.dtype:
    if name == "int8":
        raise UsageError("int8 is for OpenVINO on the CPU only: take bf16, or leave it to auto")
    if name == "auto":  # on CUDA from Ampere on, where it is several times faster
        native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[name]


def batch(pixels: Sequence[Pixels]) -> torch.Tensor:
    """Stack n preprocessed pictures, each (3, H, W) float32, into one (n, 3, H, W) tensor."""
    return torch.from_numpy(np.stack(pixels))
