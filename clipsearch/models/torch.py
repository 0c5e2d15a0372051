"""The torch runtime: which device, and from arrays through a model back to arrays."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from clipsearch.errors import ModelError
from clipsearch.types import Pixels, Vectors

PRECISION = "float32"


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


def batch(pixels: Sequence[Pixels]) -> torch.Tensor:
    """Stack n preprocessed pictures, each (3, H, W) float32, into one (n, 3, H, W) tensor."""
    return torch.from_numpy(np.stack(pixels))


def infer(
    function: Callable[..., torch.Tensor], device: torch.device, **inputs: torch.Tensor
) -> Vectors:
    """Call a module's function on `device` without gradients; its (n, d) result as float32."""
    with torch.inference_mode():
        outputs = function(**{name: tensor.to(device) for name, tensor in inputs.items()})
        rows: Vectors = outputs.float().cpu().numpy()
    return rows
