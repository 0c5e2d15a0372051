"""Ten minutes of visitors, some of whom hang up: `python -m benchmarks.speed.serve_load`.

Starts `clipsearch serve` and prints each half minute its memory, threads and open files, and how
many requests it answered. Then it gets SIGTERM in the middle of requests, which must be answered.
Exits with 1 on any error, if memory grew after the first fifth of the time, or if the server does
not end cleanly. Needs Linux.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import parse_options, write_result
from benchmarks.speed.http_load import STOP_SECONDS, Client, Server, serving
from benchmarks.speed.mixed_load import MixedLoad
from benchmarks.speed.random_checkpoint import CACHE
from benchmarks.speed.serve import stored_ids
from benchmarks.speed.synthetic_images import SMALL, make_images

IMAGES = 300
GROWTH = 0.1
"""Of memory, between the second fifth and the last fifth of the time."""
SAMPLE_SECONDS = 2.0


def resident_mb(server: Server) -> float:
    """Return the resident memory of a server and of the processes below it, in MB."""
    pages = 0
    for member in server.processes():
        pages += int(Path(f"/proc/{member}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files(process: int) -> int:
    """Return how many files and connections a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def threads(process: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{process}/task").iterdir()))


def watch(load: MixedLoad, server: Server, minutes: float) -> list[float]:
    """Run a load; return the memory in MB, by time, and print it."""
    load.start()
    pid = server.process.pid
    memory, started, printed = list[float](), time.monotonic(), 0.0
    while (elapsed := time.monotonic() - started) < 60 * minutes and len(load.errors) < 100:
        memory.append(resident_mb(server))
        if elapsed >= printed:
            print(
                f"{elapsed / 60:5.1f} min  {memory[-1]:7.1f} MB  {threads(pid):3} threads  "
                f"{open_files(pid):3} files  {load.done.total():7,} done  "
                f"{len(load.errors)} errors",
                flush=True,
            )
            printed += 30
        time.sleep(SAMPLE_SECONDS)
    return memory


def growth(memory: list[float]) -> float:
    """Return by which part the memory grew from the second fifth of the time to the last."""
    parts = np.array_split(memory, 5)
    return float(np.median(parts[4]) / np.median(parts[1]) - 1)


def stop_within_requests(server: Server) -> list[str]:
    """Send SIGTERM while searches are answered; return what went wrong."""
    problems, ready = list[str](), threading.Barrier(9)

    def search(number: int) -> None:
        client = Client(server.url)
        client.get("/v1/status")  # connect
        client.send("/v1/search", {"terms": [{"text": f"a boat, number {number}"}]})
        ready.wait()
        try:
            client.receive()
        except Exception as error:  # noqa: BLE001 - reported
            problems.append(f"a request during SIGTERM: {error!r}")

    searches = [threading.Thread(target=search, args=[number]) for number in range(8)]
    for thread in searches:
        thread.start()
    ready.wait()
    time.sleep(0.05)  # for the server to read what is sent; it has not answered all of that
    server.process.send_signal(signal.SIGTERM)
    for thread in searches:
        thread.join()
    try:
        code = server.process.wait(STOP_SECONDS)
        if code:
            problems.append(f"the server ended with {code}")
    except subprocess.TimeoutExpired:
        problems.append(f"the server has not ended after {STOP_SECONDS} s")
    return problems


def main() -> None:
    """Run the load, print the report and write it to benchmark-serve_load.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long visitors come")
    parser.add_argument("--visitors", type=int, default=12, help="how many come at a time")
    options = parse_options(parser)
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = make_images(CACHE / "small-jpegs", IMAGES, SMALL)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        os.environ |= {"XDG_RUNTIME_DIR": scratch, "CLIPSEARCH_CACHE": f"{scratch}/cache"}
        file = Path(scratch, "load.db")
        ids = stored_ids(folder, file, model="pocket")
        upload = next(folder.iterdir()).read_bytes()
        with serving(file) as server:
            load = MixedLoad(server.url, ids, upload, visitors=options.visitors)
            memory = watch(load, server, options.minutes)
            load.stop()
            problems = load.errors[:20] + stop_within_requests(server)
    if (grown := growth(memory)) > GROWTH:
        problems.append(f"the memory grew by {grown:.0%}")
    print(*(f"{count:7,} {name}" for name, count in load.done.most_common()), sep="\n")
    print(f"memory: {memory[0]:.0f} MB, at the end {memory[-1]:.0f} MB ({grown:+.1%})")
    print(*problems or ["no errors"], sep="\n")
    result = {"done": dict(load.done), "memory_mb": memory, "problems": problems}
    write_result("serve_load", options, {}, **result)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
