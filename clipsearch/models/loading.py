"""What surrounds the loading of any model: a quiet library, and errors that name the model."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from clipsearch.errors import ModelError


@contextmanager
def loading(model: str, *, hint: str) -> Iterator[None]:
    """Mute the library, and turn whatever it raises into a ModelError on one line, with a hint."""
    try:
        with quiet():
            yield
    except ModelError:
        raise
    except Exception as error:  # broken files make pickle, json and torch raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason if len(reason) <= 240 else f"{reason[:240]}…"
        raise ModelError(f"model {model} cannot be loaded: {reason}; {hint}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Mute warnings, log messages and, where nobody watches, the hub's progress bars."""
    mute_bars = not sys.stderr.isatty() and not are_progress_bars_disabled()
    root, handler, level = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    # open_clip logs on the root logger, which would otherwise get a handler for good.
    root.addHandler(handler)
    logging.disable(logging.ERROR)
    if mute_bars:
        disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if mute_bars:
            enable_progress_bars()
        logging.disable(level)
        root.removeHandler(handler)
