"""The progress of a long operation, as tqdm shows it."""

from typing import Protocol


class Progress(Protocol):
    """What a progress bar must do; tqdm's does."""

    total: float | None

    def update(self, n: float) -> object: ...
