"""Ctrl-C as a KeyboardInterrupt that others cannot hide.

Python ignores it within a `__del__`, some libraries catch it, and while a native module loads it
becomes an ImportError. So what takes long checks now and then whether one has come.
"""

import signal

_has_come = False


def handle_signals() -> None:
    """Let Ctrl-C and requests to end raise KeyboardInterrupt; none has come so far."""
    global _has_come
    _has_come = False
    for name in ("SIGTERM", "SIGHUP"):  # like Ctrl-C: finished work is written before the exit
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handle_signal)
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:  # not ignored, as by nohup
        signal.signal(signal.SIGINT, handle_signal)


def handle_signal(*_: object) -> None:
    """Raise KeyboardInterrupt, as the handler of a signal."""
    global _has_come
    _has_come = True
    raise KeyboardInterrupt


def clear() -> None:
    """Forget an interruption that was handled."""
    global _has_come
    _has_come = False


def has_come() -> bool:
    """Tell whether this process was interrupted."""
    return _has_come


def check_interrupt() -> None:
    """Raise KeyboardInterrupt if one has come before."""
    if _has_come:
        raise KeyboardInterrupt
