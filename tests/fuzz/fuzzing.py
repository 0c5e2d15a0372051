"""Mutants decoded one by one in a process that may crash or hang, and counts of what happened."""

import json
import os
import random
import select
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import IO, Any

from clipsearch.config import parse_size
from tests.fuzz.mutants import mutate
from tests.fuzz.originals import FORMATS, bombs, originals

ROOT = Path(__file__).parents[2]
FAULTS = ("crashed", "hung", "wrong", "over_memory", "kept_memory")
MOST_SECONDS = 90.0


def mutant(seed: int, format_name: str, number: int) -> bytes:
    """The mutant of that number.

    3 of 100 contain parts of a file of another format, 1 of 100 needs much memory.
    """
    rng = random.Random(f"{seed}/{format_name}/{number}")
    others = originals(format_name if rng.random() < 0.97 else rng.choice(FORMATS))
    large = bombs(format_name) if rng.random() < 0.01 else ()
    return mutate(rng.choice(large or originals(format_name)), others, rng)


class Fuzzing:
    """Counts of the outcomes of mutants, and those that took the longest and the most memory."""

    def __init__(self, *, seed: int, max_memory: str, keep: Path | None = None) -> None:
        """Write mutants with a fault to the folder `keep`."""
        self._seed = seed
        self._max_memory = max_memory
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None
        self.outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.faults: list[str] = []
        self.slowest: dict[str, float] = {}
        """Seconds, by format."""
        self.peak: dict[str, int] = {}
        """Bytes of all processes together, by format."""
        self.refusals: Counter[str] = Counter()

    def run(self, mutants: int, formats: tuple[str, ...] = FORMATS) -> None:
        """Decode some mutants, as many of each format as of the others."""
        try:
            for number in range(mutants):
                self._decode(formats[number % len(formats)], number // len(formats))
        finally:
            self._stop()

    def result(self) -> dict[str, Any]:
        """Return all counts."""
        total = sum(self.outcomes.values(), Counter[str]())
        return {
            "mutants": total.total(),
            "faults": {fault: total[fault] for fault in FAULTS},
            "formats": {
                name: {
                    **dict(sorted(self.outcomes[name].items())),
                    "slowest_s": round(self.slowest.get(name, 0), 2),
                    "peak_mb": self.peak.get(name, 0) // 1_000_000,
                }
                for name in sorted(self.outcomes)
            },
            "messages": self.faults[-20:],
        }

    def _decode(self, format_name: str, number: int) -> None:
        process = self._process or self._start()
        assert process.stdin is not None
        data = mutant(self._seed, format_name, number)
        process.stdin.write(f"{len(data)}\n".encode())
        process.stdin.write(data)
        process.stdin.flush()
        try:
            result = self._read(process)
        except (EOFError, TimeoutError) as error:
            process.kill()
            fault = "hung" if isinstance(error, TimeoutError) else "crashed"
            self._note(fault, format_name, number, f"exit {process.wait()}")
            self._process = None
            return
        kind = result["outcome"]
        if kind == "wrong":
            self._note(kind, format_name, number, result["reason"])
        else:
            self.outcomes[format_name][kind] += 1
        if kind == "refused":
            self.refusals[f"{format_name}: {result['reason']}"] += 1
        if result["held"]:
            self._note("kept_memory", format_name, number, f"{result['held']} bytes")
        if result["peak"] > parse_size(self._max_memory):
            self._note("over_memory", format_name, number, f"{result['peak']:,} bytes")
        self.slowest[format_name] = max(self.slowest.get(format_name, 0), result["seconds"])
        self.peak[format_name] = max(self.peak.get(format_name, 0), result["peak"])

    def _note(self, fault: str, format_name: str, number: int, message: str) -> None:
        self.outcomes[format_name][fault] += 1
        self.faults.append(f"{fault}: {self._seed} {format_name} {number}: {message}")
        if self._keep is not None:
            self._keep.mkdir(parents=True, exist_ok=True)
            data = mutant(self._seed, format_name, number)
            (self._keep / f"{fault}-{self._seed}-{number}.{format_name}").write_bytes(data)

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.victim", self._max_memory],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._read(self._process)
        return self._process

    def _read(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Read a line; raises EOFError if the process ended, TimeoutError if it hangs."""
        assert process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([process.stdout], [], [], MOST_SECONDS)[0]:
                raise TimeoutError
            part = _read_some(process.stdout)
            if not part:
                raise EOFError
            line += part
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _stop(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._process = None


def _read_some(stream: IO[bytes]) -> bytes:
    return os.read(stream.fileno(), 1 << 16)
