"""The fastest precision of large matrix products in training."""

import torch

from clipsearch import cpu


def fast_precision(device: str) -> torch.dtype:
    """Return bfloat16 on a GPU or with AMX; on other processors it is slower than float32."""
    if device != "cpu" or "amx_bf16" in cpu.instruction_sets():
        return torch.bfloat16
    return torch.float32


def fast_products(device: str) -> torch.autocast:
    """Compute matrix products in `fast_precision` inside this context."""
    kind = fast_precision(device)
    return torch.autocast(device, dtype=kind, enabled=kind == torch.bfloat16)
