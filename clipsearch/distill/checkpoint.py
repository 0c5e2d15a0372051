"""The checkpoint of a tower: its weights, the optimizer's state and the metrics so far."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from clipsearch.cache import atomic_write
from clipsearch.distill.report import EpochMetrics
from clipsearch.errors import ModelError


def save_checkpoint(
    path: Path, tower: torch.nn.Module, optimizer: Any, history: Sequence[EpochMetrics]
) -> None:
    """Write everything that training needs to continue after an epoch.

    The learning rate is not part of it: it depends on the number of the step alone.
    """
    state = {
        "tower": tower.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": [asdict(epoch) for epoch in history],
    }
    with atomic_write(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(
    path: Path, tower: torch.nn.Module, optimizer: Any = None
) -> tuple[EpochMetrics, ...]:
    """Load a checkpoint into a tower and return its history; () if there is no checkpoint.

    Raises ModelError on a damaged file.
    """
    if not path.exists():
        return ()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        tower.load_state_dict(state["tower"])
        if optimizer is not None:
            optimizer.load_state_dict(state["optimizer"])
        return tuple(EpochMetrics(**epoch) for epoch in state["history"])
    except Exception as error:  # broken files make pickle and torch raise nearly anything
        raise ModelError(
            f"{path} is damaged: delete it to train that tower from the start"
        ) from error
