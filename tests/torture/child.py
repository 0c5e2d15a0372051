"""A forked process that does something until it is killed."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HANG_SECONDS = 300
"""After which a signal ends it."""


class Child:
    """A forked process that prints events, in a process group of its own."""

    def __init__(self, run: Callable[[], None], log: Path) -> None:
        """Run a function in a child, with its errors in a file."""
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            signal.alarm(HANG_SECONDS)
            os.dup2(write, 1)
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            status = 1
            try:
                run()
                status = 0
            except BaseException as error:  # noqa: BLE001 - must not return into the parent's code
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                sys.stdout.flush()
                os._exit(status)
        os.close(write)
        self._output = os.fdopen(read)

    def events(self) -> Iterator[str]:
        """Yield each event, until the process ends."""
        for line in self._output:
            yield line.strip()

    def wait(self) -> int:
        """Return its status, negative for a signal: SIGALRM if it hung."""
        self._output.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def strike(pid: int, target: str) -> None:
    """Kill a process, its group, or its child that calibrates, if there is one."""
    if target == "command":
        os.kill(pid, signal.SIGKILL)
    elif target == "all":
        os.killpg(pid, signal.SIGKILL)
    else:
        for child, command in processes():
            if b"calibration_process" in command and os.getpgid(child) == pid:
                os.kill(child, signal.SIGKILL)


def processes() -> Iterator[tuple[int, bytes]]:
    """Yield the id and command line of each process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "cmdline").read_bytes()
        except OSError:
            continue
