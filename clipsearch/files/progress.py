"""The interface of progress bars, which tqdm implements."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

log = logging.getLogger("clipsearch")


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


def show_covered_rows(progress: Progress | None) -> Callable[[int, int], None]:
    """Return a function that shows how many of all rows an index covers; it logs without a bar."""
    shown = -1  # before the first look

    def show(covered: int, total: int) -> None:
        nonlocal shown
        if progress is not None:
            progress.total = total
            progress.update(covered - max(0, shown))
        elif shown < 0 and covered < total:
            log.info("building the index: %s of %s rows", f"{covered:,}", f"{total:,}")
        shown = covered

    return show
