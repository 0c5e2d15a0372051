"""The interface of progress bars, which tqdm implements."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias


class Progress(Protocol):
    """A progress bar: `total` may be set, `update` adds finished items."""

    total: float | None

    def update(self, n: float) -> object: ...


OpenProgress: TypeAlias = Callable[[str, float | None], AbstractContextManager[Progress | None]]
"""Opens a bar for a named stage with a total (None if unknown); gives None to show no bar."""


@contextmanager
def no_progress(_name: str, _total: float | None) -> Iterator[None]:
    """Show no progress bars."""
    yield None
