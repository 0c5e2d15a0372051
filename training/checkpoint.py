"""Training checkpoints, written atomically, and hashes of the tensors they depend on."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipsearch.cache import atomic_write

try:
    import fcntl
except ImportError:  # on Windows, where two runs need two caches
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait until no other run writes `path`, and keep others waiting; a kill ends the lock."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
