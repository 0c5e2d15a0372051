"""Training checkpoints, written atomically, and hashes of the tensors they depend on."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipsearch.cache import atomic_write


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path` atomically: a killed run leaves the previous file."""
    with atomic_write(path) as temporary:
        torch.save(state, temporary)


def digest(values: Iterable[Tensor]) -> str:
    """Hash tensors: 16 hex digits."""
    found = hashlib.sha256()
    for value in values:
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
