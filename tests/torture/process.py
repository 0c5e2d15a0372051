"""A process to kill: its lines of output as they come, and its Milvus Lite."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from signal import SIGKILL

ROOT = Path(__file__).parents[2]
HANG_SECONDS = 120.0


class Victim:
    """A Python process. Lines of its output are events, but `lite N` and `done N` are noted."""

    def __init__(
        self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start `python COMMAND…`."""
        self.lite: int | None = None
        self.acknowledged = -1
        self.was_killed = False
        self._events: Queue[str | None] = Queue()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `wait`
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def next_event(self, seconds: float = HANG_SECONDS) -> str | None:
        """Wait for the next event; None if the process closed its output, or after `seconds`."""
        with suppress(Empty):
            return self._events.get(timeout=seconds)
        return None

    def kill(self) -> None:
        """Kill the process, unless it has ended."""
        self.was_killed = self._process.poll() is None
        self._process.kill()

    def kill_lite(self) -> None:
        """Kill the Milvus Lite that it started last."""
        if self.lite is not None:
            with suppress(ProcessLookupError):
                os.kill(self.lite, SIGKILL)

    def wait(self) -> tuple[int, str]:
        """Wait for its end; return the status, negative for a signal, and its error output."""
        try:
            status = self._process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            status = -1
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.seek(0)
        errors = self._errors.read().decode(errors="replace")
        self._errors.close()
        return status, errors

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, number = line.strip().partition(" ")
            if word == "done":
                self.acknowledged = int(number)
                continue
            if word == "lite":
                self.lite = int(number)
            self._events.put(line.strip())
        self._events.put(None)
