"""Measure peak memory of an ingestion: `python -m benchmarks.speed.memory [COUNT ...]`.

Ingests small images, each count into a store of its own, and runs one query, each as a command.
Milvus Lite is a separate process: it keeps the vectors in memory, and so it grows with them. Needs
Linux.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.synthetic_images import make_images
from clipsearch.models import registry

SIZE = (64, 48)
COUNTS = (10_000, 100_000)
CACHE = Path(".cache/benchmarks")


@dataclass(frozen=True, slots=True)
class Peak:
    """The peak memory of a command and of its Milvus Lite, in MB, and its time in seconds."""

    command: float
    milvus: float
    seconds: float


def measure(*arguments: str) -> Peak:
    """Run clipsearch with these arguments; exits if it fails."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "clipsearch", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    command = milvus = 0.0
    while process.poll() is None:
        command = max(command, _peak_memory(process.pid))
        milvus = max([milvus, *map(_peak_memory, _child_processes(process.pid))])
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"clipsearch {' '.join(arguments)} ended with {process.returncode}")
    return Peak(command, milvus, time.monotonic() - started)


def main() -> None:
    """Print a table and write it to benchmark-memory.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("counts", type=int, nargs="*", default=COUNTS, help="numbers of images")
    options = parse_options(parser)
    counts = options.counts
    os.environ["CLIPSEARCH_WARM"] = ""  # measure the commands themselves, not the daemon
    table: list[dict[str, str | int | float]] = []
    ingest_peaks: list[float] = []
    for count in counts:
        folder = make_images(CACHE / f"tiny-{count}", count, SIZE)
        with tempfile.TemporaryDirectory() as scratch:
            store = ["--uri", str(Path(scratch, "benchmark.db"))]
            peaks = {
                "ingest": measure("ingest", str(folder), "--model", "pocket", *store),
                "ingest again": measure("ingest", str(folder), *store),
                "query": measure("query", "a dog", *store),
            }
        ingest_peaks.append(peaks["ingest"].command)
        for name, peak in peaks.items():
            table.append(
                {
                    "command": name,
                    "images": count,
                    "MB": round(peak.command),
                    "MB, Milvus Lite": round(peak.milvus),
                    "seconds": round(peak.seconds, 1),
                }
            )
            print("  ".join(f"{key}: {value:<12}" for key, value in table[-1].items()), flush=True)
    ratio = ingest_peaks[-1] / ingest_peaks[0]
    print(f"ingest, {counts[-1]:,} images to {counts[0]:,}: {ratio:.2f} times the memory")
    precisions = {"pocket": registry.load("pocket").identity.precision}
    write_result("memory", options, precisions, table=table, ratio=round(ratio, 3))


def _peak_memory(process: int) -> float:
    """The largest resident size so far, in MB; 0 if the process has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    except OSError:
        return 0.0
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM"))
    return next((int(line[1]) / 1024 for line in lines), 0.0)


def _child_processes(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in children.split()]


if __name__ == "__main__":
    main()
