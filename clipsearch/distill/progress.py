"""How a distillation tells how far it is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from clipsearch.files.progress import Progress

Bars: TypeAlias = Callable[[str, float | None], AbstractContextManager[Progress | None]]
"""Opens a bar of that name and total (None: unknown) for one stage; None where nobody watches."""


@contextmanager
def silent(_name: str, _total: float | None) -> Iterator[None]:
    """No bars."""
    yield None
