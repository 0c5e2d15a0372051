"""The standard streams of the process: those that the shell closed, and those that fail."""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from clipsearch.errors import of_process


class _BestEffort(io.FileIO):
    """A file that ignores errors of writing: no message is worth ending a run on a full disk.

    It is used without a buffer: if Ctrl-C comes while `write` returns, a buffer does not learn
    what was written, and writes it again.
    """

    def write(self, data: object) -> int:
        """Write all bytes; report them as written if that fails."""
        left = memoryview(data)  # type: ignore[arg-type]
        size = left.nbytes
        with suppress(OSError):
            # None: a pipe that is full and does not block, as those of Node.js.
            while left and (written := super().write(left)) is not None:
                left = left[written:]
        return size


def prepare_process_streams() -> None:
    """Prepare the streams of a process of our own, before anything is opened or printed."""
    _reopen_closed()
    if isinstance(sys.stderr, io.TextIOWrapper):
        file: Any = _BestEffort(2, "w", closefd=False)
        encoding = sys.stderr.encoding
        sys.stderr = io.TextIOWrapper(file, encoding, "backslashreplace", write_through=True)


def prepare_streams() -> None:
    """Let printing succeed if a stream was closed, or cannot encode a file name."""
    if sys.stdout is None:  # closed by the shell
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - open until the exit
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # a pipe on Windows cannot encode every file name
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def describe_os_error(error: OSError) -> str:
    """Return a message with the file, also for standard output, whose errors do not name it."""
    reason, trace = error.strerror or str(error), error.__traceback__
    if of_process(error):
        reason += " (raise `ulimit -n`)"
    if error.filename:
        return f"{reason}: {error.filename}"
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = str(trace.tb_frame.f_globals.get("__name__")) if trace is not None else ""
    if module != "click.utils" and not module.startswith("clipsearch.cli."):
        return reason
    name = "standard output"
    with suppress(OSError):  # only Linux can tell
        name = str(Path("/proc/self/fd/1").readlink())
    return f"{name} cannot be written: {reason.lower()}"


def _reopen_closed() -> None:
    """Open the null device for standard streams that the shell closed.

    Otherwise the next file that is opened, such as the store's, takes the number of the stream,
    and native libraries write their messages into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
