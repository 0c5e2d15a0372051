"""States of training that are on the disk whole or not at all."""

from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path`; a run that is stopped meanwhile leaves the file that was there."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)
