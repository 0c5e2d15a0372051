"""Measure queries: `python -m benchmarks.speed.query [--rows N ...] [--peers]`.

Prints two tables for each number of rows. All sides take turns in one run, so that the ratios hold
on a machine whose speed drifts:
- a search in a process that has everything open, compared with numpy's exact one, and with FAISS
  if it is installed (flat and HNSW), with the recall of the ten nearest;
- a whole command, cold and with the daemon, and with `--peers` rclip's on the same vectors.

The vectors are random, of unit length and in clusters. A million rows need 16 GB of memory.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.peers import Peer, install_rclip
from benchmarks.speed.random_checkpoint import ARCHITECTURE, CACHE, make_checkpoint
from benchmarks.speed.search import (
    TEXT,
    Row,
    clustered_vectors,
    make_store,
    summarize,
    time_searches,
)
from clipsearch import Index
from clipsearch.models import registry
from clipsearch.types import Vectors

ROWS = (1_000, 10_000, 100_000)
ROUNDS = 7

FILL_RCLIP = """
import sys
import numpy as np
from rclip.db import DB, NewImage
vectors, database = np.load(sys.argv[1], mmap_mode="r"), DB(sys.argv[2])
for number, vector in enumerate(vectors):
    database.upsert_image(NewImage(
        filepath=f"{sys.argv[3]}/{number // 500:04}/{number:07}.jpg",
        modified_at=0.0, size=1, vector=vector.tobytes(), hash=str(number)), commit=False)
database.close()
"""
"""A program for rclip's environment: vectors.npy, database, folder."""


def time_commands(vectors: Vectors, file: Path, *, peers: bool, rounds: int) -> Iterator[Row]:
    """Yield a row for each command."""
    seconds = defaultdict(list)
    with _commands(vectors, file, peers=peers) as commands:
        for number in range(rounds + 1):
            for name, run in commands.items():
                started = time.perf_counter()
                run()
                if number:  # the first round fills the file cache
                    seconds[name].append(time.perf_counter() - started)
    reference = float(np.median(seconds["rclip" if peers else "clipsearch, cold"]))
    for name, times in seconds.items():
        yield summarize(len(vectors), name, times, "x rclip" if peers else "x cold", reference)


@contextmanager
def _commands(
    vectors: Vectors, file: Path, *, peers: bool
) -> Iterator[Mapping[str, Callable[[], object]]]:
    """Start the daemon and yield the commands that answer one text query, by name."""
    with tempfile.TemporaryDirectory() as scratch:
        daemon_file = Path(shutil.copy(file, Path(scratch, "warm.db")))

        def run(*arguments: str) -> None:
            command = [sys.executable, "-m", "clipsearch", *arguments]
            subprocess.run(command, check=True, capture_output=True)

        commands: dict[str, Callable[[], object]] = {
            "clipsearch, cold": lambda: run("query", TEXT, "--uri", str(file)),
            "clipsearch, warm": lambda: run("query", TEXT, "--uri", str(daemon_file)),
        }
        if peers:
            peer, folder = _fill_rclip(vectors, Path(scratch))
            commands["rclip"] = lambda: peer.run(
                "-m", "rclip", "--no-indexing", "--filepath-only", TEXT, folder=folder
            )
        run("warm", "--uri", str(daemon_file), "--idle-timeout", "1h")
        try:
            yield commands
            run("warm", "--status", "--uri", str(daemon_file))  # fails if the daemon has ended
        finally:
            run("warm", "--stop", "--uri", str(daemon_file))


def _fill_rclip(vectors: Vectors, scratch: Path) -> tuple[Peer, Path]:
    """Put the vectors into a database of rclip; returns the tool and the folder to query."""
    peer = install_rclip()
    shared_data = Path(peer.environment["RCLIP_DATADIR"])
    data, folder = scratch / "rclip", scratch / "in"
    data.mkdir()
    folder.mkdir()
    for path in shared_data.iterdir():
        if path.is_dir():
            (data / path.name).symlink_to(path)
    peer = Peer(peer.python, {**peer.environment, "RCLIP_DATADIR": str(data)})
    np.save(scratch / "vectors.npy", vectors)
    arguments = (scratch / "vectors.npy", data / "db.sqlite3", folder)
    peer.run("-c", FILL_RCLIP, *map(str, arguments))
    return peer, folder


def main() -> None:
    """Print the tables and write them to benchmark-query.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="sizes of collections")
    parser.add_argument("--model", help=f"{ARCHITECTURE} with random weights if not given")
    parser.add_argument("--peers", action="store_true", help="also measure rclip")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each command")
    options = parse_options(parser)

    model = options.model or f"local-dir:{make_checkpoint()}"
    identity = registry.load(model).identity
    folder = CACHE / "query"
    folder.mkdir(parents=True, exist_ok=True)
    table = []
    with tempfile.TemporaryDirectory() as runtime_folder:
        os.environ |= {"XDG_RUNTIME_DIR": runtime_folder, "CLIPSEARCH_WARM": ""}
        for rows in options.rows:
            vectors = clustered_vectors(rows, identity.dim, seed=1)
            file = folder / f"{identity.weights[:12]}-{rows}.db"
            make_store(file, vectors, identity)
            with Index.open(file) as index:
                measured = list(time_searches(vectors, index))
            measured += time_commands(vectors, file, peers=options.peers, rounds=options.rounds)
            for row in measured:
                print("  ".join(f"{name} {value!s:<20}" for name, value in row.items()), flush=True)
            table += measured
    precisions = {options.model or ARCHITECTURE: identity.precision}
    write_result("query", options, precisions, table=table)


if __name__ == "__main__":
    main()
