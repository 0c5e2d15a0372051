"""Compare ingestion by one process and by Ray: `python -m benchmarks.speed.ray FOLDER [--runs 3]`.

Both are whole commands into an empty local store, in turns, so that the ratio holds on a machine
whose speed drifts. Ray runs on this machine with one worker for each core, and starts and ends
within the command. A second command on the same store shows what unchanged files cost.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.machine import parse_options, write_result

ENGINES = ("local", "ray")


def time_command(folder: Path, store: Path, engine: str) -> tuple[float, dict[str, float]]:
    """Return the seconds of one command, and the images per second of a worker of each stage."""
    command = [sys.executable, "-m", "clipsearch", "ingest", str(folder), "--engine", engine]
    command += ["--uri", str(store), "--model", "pocket", "--json", "--quiet"]
    started = time.perf_counter()
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if not run.stdout:
        raise SystemExit(run.stderr)
    stages = json.loads(run.stdout)["stages"]
    return seconds, {name: stage["images_per_second"] for name, stage in stages.items()}


def main() -> None:
    """Print the seconds of each command, and the best of each kind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3, help="of each engine (default: 3)")
    options = parse_options(parser)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    rates: dict[str, float] = {}
    for _ in range(options.runs):
        for engine in ENGINES:
            with tempfile.TemporaryDirectory() as scratch:
                store = Path(scratch, "benchmark.db")
                for kind in ("first", "again"):
                    took, stages = time_command(options.folder, store, engine)
                    seconds[f"{engine}, {kind}"].append(took)
                    rates = stages if engine == "ray" and kind == "first" else rates
                    print(f"{engine:6} {kind:6} {took:6.1f} s")
    best = {name: min(values) for name, values in seconds.items()}
    for name, value in best.items():
        print(f"{name:14} {value:6.1f} s")
    write_result("ray", options, {}, best_seconds=best, worker_images_per_second=rates)


if __name__ == "__main__":
    main()
