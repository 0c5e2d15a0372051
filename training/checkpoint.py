"""States of training that are on the disk whole or not at all, and what tells them apart."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipsearch.cache import atomic_write


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path`; a run that is stopped meanwhile leaves the file that was there."""
    with atomic_write(path) as temporary:
        torch.save(state, temporary)


def digest(values: Iterable[Tensor]) -> str:
    """Tell tensors from others."""
    found = hashlib.sha256()
    for value in values:
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
