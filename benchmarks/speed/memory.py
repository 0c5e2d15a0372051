"""Peak memory as a collection grows: `python -m benchmarks.speed.memory [COUNT ...]`, on Linux.

Ingests so many small pictures, each count into a store of its own, and asks one query, as commands of
their own. Milvus Lite is a process beside: it keeps the vectors in memory, and so grows with them.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.synthetic_images import make

SIZE = (64, 48)
COUNTS = (10_000, 100_000)
CACHE = Path(".cache/benchmarks")


@dataclass(frozen=True, slots=True)
class Peak:
    """Most memory that a command and its Milvus Lite ever held, in MB, and how long it took."""

    command: float
    milvus: float
    seconds: float


def measure(*arguments: str) -> Peak:
    """Run clipsearch with these arguments."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "clipsearch", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    command = milvus = 0.0
    while process.poll() is None:
        command = max(command, _peak(process.pid))
        milvus = max([milvus, *map(_peak, _children(process.pid))])
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"clipsearch {' '.join(arguments)} ended with {process.returncode}")
    return Peak(command, milvus, time.monotonic() - started)


def main(counts: list[int]) -> None:
    """Print a table and write it as JSON."""
    table: list[dict[str, str | int | float]] = []
    ingested: list[float] = []
    for count in counts:
        folder = make(CACHE / f"tiny-{count}", count, SIZE)
        with tempfile.TemporaryDirectory() as scratch:
            store = ["--uri", str(Path(scratch, "benchmark.db"))]
            ingest = measure("ingest", str(folder), "--model", "pocket", *store)
            again = measure("ingest", str(folder), *store)
            query = measure("query", "a dog", *store)
        ingested.append(ingest.command)
        for name, peak in (("ingest", ingest), ("ingest again", again), ("query", query)):
            table.append(
                {
                    "command": name,
                    "pictures": count,
                    "MB": round(peak.command),
                    "MB, Milvus Lite": round(peak.milvus),
                    "seconds": round(peak.seconds, 1),
                }
            )
            print("  ".join(f"{key}: {value:<12}" for key, value in table[-1].items()), flush=True)
    ratio = ingested[-1] / ingested[0]
    print(f"ingest, {counts[-1]:,} pictures to {counts[0]:,}: {ratio:.2f} times the memory")
    machine = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    result = {"machine": machine, "table": table, "ratio": round(ratio, 3)}
    Path("benchmark-memory.json").write_text(json.dumps(result, indent=2) + "\n")


def _peak(process: int) -> float:
    """The largest resident size so far, in MB; 0 where the process has gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    except OSError:
        return 0.0
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM"))
    return next((int(line[1]) / 1024 for line in lines), 0.0)


def _children(process: int) -> list[int]:
    try:
        return [*map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]
    except OSError:
        return []


if __name__ == "__main__":
    os.environ["CLIPSEARCH_WARM"] = ""  # the commands themselves are what is measured
    main([int(argument) for argument in sys.argv[1:]] or list(COUNTS))
