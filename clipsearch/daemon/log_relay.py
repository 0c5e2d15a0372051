"""Log messages of the library in the daemon, for the command that caused them."""

import contextlib
import logging
import threading
from collections.abc import Callable


class LogRelay(logging.Handler):
    """Sends log messages of the library in a session's thread to its command."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._thread = threading.local()

    def send_to(self, send: Callable[[int, str], None]) -> None:
        """Send the level and text of messages in this thread by this function from now on."""
        self._thread.send = send

    def emit(self, record: logging.LogRecord) -> None:
        send = getattr(self._thread, "send", None)
        if send is not None and not record.name.startswith("clipsearch.daemon"):
            with contextlib.suppress(OSError):
                send(record.levelno, record.getMessage())
