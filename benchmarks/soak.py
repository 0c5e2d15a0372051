"""Check that nothing grows over time: `python -m benchmarks.soak [--minutes N]`.

Ingests, prunes, tags and searches a folder that changes, again and again: first in this process
without a daemon, then through one. Memory, open descriptors, threads, the size of the store and
the temporary files of all its processes must not grow. Prints each measure with its growth, by a
line fitted after a warm-up, and exits with 1 if one grows. Needs Linux.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch import Index, IngestOptions
from clipsearch.cpu import description
from clipsearch.daemon.process import read_status

IMAGES, CHANGES, SIDE = 200, 10, 96
WARM_UP = 0.4
"""Share of the time before growth counts: caches fill, and allocators find their size."""

LABELS = ["red", "green", "blue"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums over the processes, after one cycle."""

    memory_mb: float
    descriptors: float
    threads: float
    store_mb: float
    temporary_files: float


ALLOWED = Sample(memory_mb=15.0, descriptors=0.5, threads=0.5, store_mb=0.5, temporary_files=0.5)
"""The growth between the end of the warm-up and the end that still counts as flat."""


class ChangingFolder:
    """A folder of which some images change, come and go in each cycle; their number stays."""

    def __init__(self, path: Path) -> None:
        """Draw the images."""
        self.path = path
        self._random = random.Random(0)
        self._next = 0
        path.mkdir()
        for _ in range(IMAGES):
            self._add()

    def change(self) -> None:
        """Delete, add, move and change a few files."""
        files = sorted(self.path.iterdir())
        self._random.shuffle(files)
        for file in files[:CHANGES]:
            file.unlink()
            self._add()
        for file in files[CHANGES : 2 * CHANGES]:
            self._draw(file)
        for file in files[2 * CHANGES : 3 * CHANGES]:
            file.rename(self._new_path())

    def _add(self) -> None:
        self._draw(self._new_path())

    def _new_path(self) -> Path:
        self._next += 1
        return self.path / f"{self._next:08}.jpg"

    def _draw(self, path: Path) -> None:
        pixels = np.array([self._random.randrange(256) for _ in range(48)], dtype=np.uint8)
        Image.fromarray(pixels.reshape(4, 4, 3)).resize((SIDE, SIDE)).save(path)


def run_cycle(store: Path, folder: ChangingFolder) -> None:
    """Change the folder, bring the store up to date, and use all that reads it."""
    folder.change()
    with Index.open(store, model="pocket") as index:
        index.ingest(folder.path, options=IngestOptions(prune=True, force=True))
        index.tag(LABELS, threshold=0.0)
        for label in LABELS:
            index.search(label, limit=20)
        index.similar(next(folder.path.iterdir()))
        index.duplicates()
        index.rank_by_text(limit=5)


def measure(roots: list[int], store: Path, temporary: Path) -> Sample:
    """Measure some processes and their children, the store and the temporary folder."""
    processes = [process for root in roots for process in _with_children(root)]
    memory = descriptors = threads = 0
    for process in processes:
        with suppress(OSError):  # it may just have ended
            memory += _resident_bytes(process)
            descriptors += _count(Path(f"/proc/{process}/fd"))
            threads += _count(Path(f"/proc/{process}/task"))
    files = [file for file in store.parent.glob(f"{store.name}*") if file.is_file()]
    return Sample(
        memory / 1e6,
        descriptors,
        threads,
        sum(file.stat().st_size for file in files) / 1e6,
        sum(1 for _ in temporary.rglob("*")),
    )


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _with_children(process: int) -> Iterator[int]:
    yield process
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _with_children(int(child))


def _resident_bytes(process: int) -> int:
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def daemon(store: Path) -> Iterator[int]:
    """Run the daemon of a store; yields its process id."""
    command = [sys.executable, "-m", "clipsearch", "warm", "--uri", str(store), "-q"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    try:
        status = read_status(str(store))
        assert status is not None
        yield status.pid
    finally:
        subprocess.run([*command, "--stop"], check=True, stdout=subprocess.DEVNULL)


def soak(seconds: float, roots: list[int], store: Path, folder: ChangingFolder) -> list[Sample]:
    """Run cycles for a time; return a sample for each."""
    samples: list[Sample] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(samples) < 5:
        run_cycle(store, folder)
        samples.append(measure(roots, store, Path(tempfile.gettempdir())))
    return samples


def growth(samples: list[Sample]) -> Sample:
    """Return how much each measure grows from the end of the warm-up to the end, by its slope."""
    values = np.array([astuple(sample) for sample in samples[int(WARM_UP * len(samples)) :]])
    slopes = np.polyfit(np.arange(len(values)), values, 1)[0]
    return Sample(*(slopes * (len(values) - 1)).tolist())


def report(title: str, samples: list[Sample]) -> bool:
    """Print each measure at the start, after the warm-up and at the end; tell whether all are flat.

    Numbers after the warm-up and at the end are means of a tenth of the cycles.
    """
    count, tenth = len(samples), max(1, len(samples) // 10)
    start = int(WARM_UP * count)
    print(f"{title}: {count} cycles")
    print(f"{'':16}{'first':>10}{'warm':>10}{'last':>10}{'growth':>10}{'allowed':>10}")
    grown, flat = growth(samples), True
    for field in fields(Sample):
        values = [getattr(sample, field.name) for sample in samples]
        warm, last = np.mean(values[start : start + tenth]), np.mean(values[-tenth:])
        change, allowed = getattr(grown, field.name), getattr(ALLOWED, field.name)
        flat &= change <= allowed
        verdict = "" if change <= allowed else "  GROWS"
        numbers = "".join(f"{value:>10.1f}" for value in (values[0], warm, last, change, allowed))
        print(f"{field.name.replace('_', ' '):16}{numbers}{verdict}", flush=True)
    return flat


def main() -> int:
    """Run both soaks; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--minutes", type=float, default=3.0, help="in all, half of it with a daemon (default: 3)"
    )
    options = parser.parse_args()
    print(description())
    with tempfile.TemporaryDirectory(prefix="soak-") as text:
        work = Path(text)
        for name in ("tmp", "run", "cache"):
            (work / name).mkdir(mode=0o700)
        tempfile.tempdir = os.environ["TMPDIR"] = str(work / "tmp")
        os.environ |= {"XDG_RUNTIME_DIR": f"{work}/run", "CLIPSEARCH_CACHE": f"{work}/cache"}
        os.environ |= {"CLIPSEARCH_WARM": "", "CLIPSEARCH_PRECISION": "fp32"}
        folder, store, seconds = ChangingFolder(work / "images"), work / "images.db", 30.0
        seconds *= options.minutes
        direct = soak(seconds, [os.getpid()], store, folder)
        with daemon(store) as process:
            shared = soak(seconds, [os.getpid(), process], store, folder)
        results = [report("without a daemon", direct), report("with a daemon", shared)]
    print("flat" if all(results) else "something grows")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
