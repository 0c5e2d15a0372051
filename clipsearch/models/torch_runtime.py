"""The torch runtime: device and precision, and inference on numpy arrays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clipsearch import cpu
from clipsearch.errors import ModelError, UsageError
from clipsearch.models.length_bucketing import length_buckets
from clipsearch.models.preprocess import Preprocessing
from clipsearch.models.runtime import Runtime
from clipsearch.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
"""The names of precisions in a model's identity."""


class TorchRuntime:
    """A device and a precision, on which functions of a model run without gradients."""

    def __init__(self, runtime: Runtime) -> None:
        """Raises ModelError without such a device, UsageError if torch has no such precision."""
        self.device = pick_device(runtime.device)
        self.dtype = _pick_precision(runtime.precision, self.device)
        if torch.get_num_threads() > cpu.available():  # torch ignores a container's quota
            torch.set_num_threads(cpu.available())

    @property
    def precision(self) -> str:
        """The name of the precision for a model's identity."""
        return NAMES[self.dtype]

    def infer(self, function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> Vectors:
        """Call a function of a module; return its (n, d) result as float32."""
        rows: Vectors = self._start(function, *inputs).cpu().numpy()
        return rows

    def infer_texts(
        self, function: Callable[[torch.Tensor], torch.Tensor], ids: torch.Tensor, padding: int
    ) -> Vectors:
        """Run padded texts, (n, length) token ids, in groups that are cut to their longest text."""
        ends = torch.arange(1, ids.shape[1] + 1) * (ids != padding)
        lengths = ends.amax(dim=1).tolist()
        order: list[int] = []
        outputs: list[torch.Tensor] = []
        for group, length in length_buckets(lengths):
            order += group
            outputs.append(self._start(function, ids[group, :length]))
        rows: Vectors = np.empty((len(order), outputs[0].shape[1]), np.float32)
        rows[order] = torch.cat(outputs).cpu().numpy()
        return rows

    def upload(self, arrays: Sequence[Pixels]) -> torch.Tensor:
        """Copy n arrays of one shape and dtype to the device as one tensor, (n, …)."""
        if self.device.type != "cuda":
            return torch.from_numpy(np.stack(arrays)).to(self.device)
        dtype = torch.from_numpy(np.empty(0, arrays[0].dtype)).dtype
        batch = torch.empty((len(arrays), *arrays[0].shape), dtype=dtype, pin_memory=True)
        np.stack(arrays, out=batch.numpy())
        # From pinned memory, the copy runs while the next operations are submitted.
        return batch.to(self.device, non_blocking=True)

    def _start(self, function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> torch.Tensor:
        """Call a function; the float32 result is on the device, where it may not be ready yet."""
        use_autocast = self.dtype != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, self.dtype, enabled=use_autocast),
        ):
            return function(*(tensor.to(self.device) for tensor in inputs)).float()


class ImageInput:
    """The way of images from Pillow to a model.

    On CUDA an image stays in bytes until it is on the device. That is a quarter of the data to
    gather and to copy, which would otherwise take longer than a small model.
    """

    def __init__(self, preprocessing: Preprocessing, runtime: TorchRuntime) -> None:
        self._preprocessing = preprocessing
        self._runtime = runtime
        self._levels = torch.tensor(preprocessing.levels, device=runtime.device)  # (3, 256)

    def preprocess(self, image: "Image") -> Pixels:
        """Convert an upright RGB image to what `upload` takes; thread-safe."""
        if self._runtime.device.type != "cuda":
            return self._preprocessing(image)
        # A copy, as a cropped array would keep the rest of the image in memory.
        return self._preprocessing.to_bytes(image).copy()

    def upload(self, pixels: Sequence[Pixels]) -> torch.Tensor:
        """Return n images as (n, 3, H, W) float32 on the device.

        An image is (3, H, W) float32, or (H, W, 3) uint8 with the levels before preprocessing.
        """
        images = self._runtime.upload(pixels)
        if images.dtype != torch.uint8:
            return images
        channels = torch.arange(3, device=images.device)
        return self._levels[channels, images.int()].permute(0, 3, 1, 2)


class Tower(torch.nn.Module):  # type: ignore[misc]  # checking torch's types takes minutes
    """A function of a model as a separate module, as the converter requires."""

    def __init__(self, model: torch.nn.Module, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.model = model
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Call the function."""
        return self.function(*inputs)


@contextmanager
def tracing() -> Iterator[Callable[[Any], torch.Tensor]]:
    """Make models traceable: no gradients, and attention without the fused fast path.

    Yields the function that converts arrays to tensors.
    """
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            yield torch.from_numpy
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" means CUDA, else MPS, else the CPU.

    Raises ModelError if this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)  # torch reports a missing device only when it is used
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n", 1)[0]
        raise ModelError(f"device {name!r} cannot be used ({reason}): use auto or cpu") from error
    return device


def _pick_precision(name: str, device: torch.device) -> torch.dtype:
    if name == "int8":
        raise UsageError("int8 is for OpenVINO on the CPU only: use bf16 or auto")
    if name == "auto":  # CUDA from Ampere on, several times faster
        native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[name]
