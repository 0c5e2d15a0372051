"""Loading a model: silence the library, and name the model in its errors."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from clipsearch.errors import ModelError

ONLY_WEIGHTS = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""torch then unpickles nothing but tensors, whatever its caller asks for."""

LIBRARIES = ("huggingface_hub", "nncf", "open_clip", "timm", "torch", "transformers")
"""Loggers that are silenced, besides the root logger's own messages."""

_lock = threading.Lock()
_active = 0
_restore = ExitStack()


@contextmanager
def loading(model: str, *, hint: str) -> Iterator[None]:
    """Silence the library, and turn errors into a one-line ModelError that ends in `hint`."""
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
    """Silence the libraries' warnings and logs, and without a terminal the hub's progress bars.

    All of these are settings of the process. If calls overlap in threads, the first one to begin
    changes the settings and the last one to end restores them.
    """
    global _active
    with _lock:
        if _active == 0:
            _silence(_restore)
        _active += 1
    try:
        yield
    finally:
        with _lock:
            _active -= 1
            if _active == 0:
                _restore.close()


def _silence(restore: ExitStack) -> None:
    # open_clip falls back to an unlimited torch.load, for versions of torch without limits.
    previous = os.environ.get(ONLY_WEIGHTS)
    os.environ[ONLY_WEIGHTS] = "1"
    restore.callback(_set_variable, previous)
    # Not logging.disable: other threads have something to say meanwhile.
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        restore.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)
    root, handler = logging.getLogger(), logging.NullHandler()
    # OpenVINO's conversion sets both, and leaves the program without its warnings.
    restore.callback(root.setLevel, root.level)
    restore.callback(setattr, root, "filters", root.filters.copy())
    # open_clip logs on the root logger, which would otherwise get a handler permanently.
    root.addHandler(handler)
    restore.callback(root.removeHandler, handler)
    root.addFilter(_is_critical)
    if not sys.stderr.isatty() and not are_progress_bars_disabled():
        disable_progress_bars()
        restore.callback(enable_progress_bars)
    restore.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")


def _is_critical(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.CRITICAL


def _set_variable(value: str | None) -> None:
    if value is None:
        os.environ.pop(ONLY_WEIGHTS, None)
    else:
        os.environ[ONLY_WEIGHTS] = value
