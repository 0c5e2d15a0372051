"""Progress bars on standard error."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tqdm import tqdm

from clipsearch.cli.messages import is_quiet
from clipsearch.files.progress import Progress


@contextmanager
def progress_bar(
    name: str = "", total: float | None = None, *, unit: str = " images", quiet: bool = False
) -> Iterator[Progress | None]:
    """Yield a progress bar, or None if `quiet` or if standard error is not a terminal."""
    if quiet or is_quiet() or not sys.stderr.isatty():
        yield None
        return
    # Some terminals, as over a serial line, do not tell their size; tqdm would show nothing there.
    columns, rows = shutil.get_terminal_size() if _has_no_size() else (None, None)
    with tqdm(
        desc=name or None,
        total=total,
        unit=unit,
        ncols=columns,
        nrows=rows,
        dynamic_ncols=columns is None,
        smoothing=0.1,
    ) as bar:
        yield bar


def _has_no_size() -> bool:
    try:
        return not os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return False


@contextmanager
def progress_bars() -> Iterator[Callable[[str], Progress | None]]:
    """Yield a function that opens one more progress bar; all close at the end."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(progress_bar(name))
