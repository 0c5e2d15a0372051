"""Kills of real commands with the built-in model, and of their daemon, at any moment.

    python -m tests.torture.commands --kills 100 --seed 1

Prints the counts as JSON; exits with 1 if anything was lost or wrong. Unlike the kills of
`python -m tests.torture`, which come within writes, these also come while a command starts, loads
the model, decodes images or ends.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipsearch.classify import LinearProbe
from clipsearch.errors import ClipsearchError
from clipsearch.files.discover import FileSource
from clipsearch.images.hashing import content_hash, image_id
from clipsearch.models.base import Encoder
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from clipsearch.store import Store
from clipsearch.temporary_folder import TemporaryFolder
from clipsearch.types import Pixels, Vectors
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.torture.driver import Tally, run_kills

ROOT = Path(__file__).parents[2]
NAME = "images"
COMMAND = [sys.executable, "-m", "clipsearch"]
OPERATIONS = {
    "ingest": ["ingest", "{folder}", "--prune", "--force"],
    "rehash": ["ingest", "{folder}", "--prune", "--force", "--rehash"],
    "watch": ["watch", "{folder}"],
    "tag": ["tag", "-l", "red", "-l", "blue", "--threshold", "0"],
    "tag --probe": ["tag", "--probe", "{probe}", "--threshold", "0"],
    "probe fit": ["probe", "fit", "{examples}", "-o", "{probe}", "--seeds", "0"],
    "textness fit": ["textness", "fit", "--per-class", "10"],
    "check --repair": ["check", "--repair"],
    "demo": ["demo", "--sheet", "{sheet}"],
}
FAULTS = (
    "lost",
    "misattributed",
    "duplicated",
    "embedded_twice",
    "not_reopened",
    "damaged_file",
    "left_behind",
)
CONTENTS, FILES = 90, 50
TOLERANCE = 5e-3
"""Of a vector's numbers: those of an image depend slightly on its batch."""

END_SECONDS = 10.0


class CountingEncoder:
    """An encoder that counts the images that it embeds."""

    def __init__(self, encoder: Encoder) -> None:
        """Wrap a loaded model."""
        self.embedded_images = 0
        self._encoder = encoder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embed n preprocessed images as (n, d) float32."""
        self.embedded_images += len(pixels)
        return self._encoder.encode_images(pixels)


class Torture:
    """Contents with known vectors, a folder of some of them, a store, and the counts."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Draw the contents, embed them, and ingest the first files."""
        self._random = random.Random(seed)
        self._place = folder
        self._store = folder / "images.db"
        self.tally = Tally(FAULTS)
        for name in ("tmp", "run", "pool/a", "pool/b", "files"):
            (folder / name).mkdir(mode=0o700, parents=True)
        self._environment = {
            **os.environ,
            "CLIPSEARCH_URI": str(self._store),
            "CLIPSEARCH_CACHE": str(folder / "cache"),
            "CLIPSEARCH_CONFIG": os.devnull,
            "CLIPSEARCH_MODEL": "pocket",
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder / "tmp"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        tempfile.tempdir = str(folder / "tmp")
        draws = np.random.default_rng(seed)
        self._pool: dict[str, Path] = {}
        for number in range(CONTENTS):
            path = folder / "pool" / "ab"[number % 2] / f"{number}.png"
            blocks = draws.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(blocks).resize((96, 96), Image.Resampling.NEAREST).save(path)
            self._pool[content_hash(path.read_bytes())] = path
        self._encoder = CountingEncoder(load("pocket", Runtime()))
        with Store.open(folder / "pool.db") as store:
            images = store.create(NAME, self._encoder.identity)
            ingest(FileSource([folder / "pool"]), images, self._encoder, IngestOptions())
            self._vectors = {row.record.content_hash: row.embedding for row in images.scan_rows()}
        self.files: dict[Path, str] = {}
        for _ in range(FILES):
            self._add()
        self._complete("start", rehash=False)

    def kill(self, operations: Sequence[str]) -> None:
        """Start a command, kill it, its daemon or all, and check; then complete and check again."""
        operation = self._random.choice(operations)
        before = dict(self.files)
        if operation in ("ingest", "rehash"):
            self._change()
        daemon = self._start_daemon() if self._random.random() < 0.4 else None
        parts = ["command", *["daemon", "lite", "daemon"] * (daemon is not None)]
        targets = {self._random.choice(parts)} if self._random.random() < 0.7 else set(parts)
        context = f"{operation}{' by a daemon' if daemon else ''}, kill of {sorted(targets)}"
        names = {
            "folder": self._place / "files",
            "probe": self._place / "a.probe",
            "examples": self._place / "pool",
            "sheet": self._place / "sheet.png",
        }
        arguments = [part.format(**names) for part in OPERATIONS[operation]]
        if operation == "tag --probe" and not names["probe"].exists():
            arguments = OPERATIONS["tag"]
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self._place,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        moment = self._random.uniform(0.2, 1) ** 2 * self._seconds(operation)
        deadline = time.monotonic() + moment
        if operation == "watch":
            time.sleep(moment / 2)
            self._change()
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is None:
            self.tally.counts["kills"] += 1
            self.tally.counts[f"kills of {operation}"] += 1
            self.tally.counts["kills with a daemon"] += daemon is not None
        self._strike(process, daemon, targets)
        if operation == "watch" and "command" not in targets:
            process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            self.tally.note("lost", f"{context}: it hangs")
            _, errors = process.communicate()
        if b"Traceback" in errors:
            self.tally.note("lost", f"{context}: {errors.decode()[-400:]}")
        self.tally.counts[f"exit {process.returncode}, {'+'.join(sorted(targets))} killed"] += 1
        if daemon is not None:
            with suppress(ProcessLookupError):
                os.kill(daemon, signal.SIGKILL)
        self._check(context, operation, before)

    def _seconds(self, operation: str) -> float:
        """Return about how long a command takes here, from a first run of `--version`."""
        factor = {"watch": 12, "textness fit": 12, "demo": 12}.get(operation, 5)
        return factor * self._start_seconds

    @property
    def _start_seconds(self) -> float:
        started = time.monotonic()
        subprocess.run([*COMMAND, "--version"], env=self._environment, capture_output=True)
        return max(0.3, time.monotonic() - started)

    def _start_daemon(self) -> int:
        """Start a daemon; return its process id."""
        done = subprocess.run(
            [*COMMAND, "warm", "--json"], env=self._environment, capture_output=True, check=True
        )
        return int(json.loads(done.stdout)["pid"])

    def _strike(
        self, process: "subprocess.Popen[bytes]", daemon: int | None, targets: set[str]
    ) -> None:
        if "lite" in targets and daemon is not None:
            for child in children(daemon):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        if "daemon" in targets and daemon is not None:
            with suppress(ProcessLookupError):
                os.kill(daemon, signal.SIGKILL)
        if "command" in targets:
            process.kill()

    def _check(self, context: str, operation: str, before: dict[Path, str]) -> None:
        probe = self._place / "a.probe"
        if probe.exists():
            try:
                LinearProbe.load(probe)
            except ClipsearchError as error:
                self.tally.note("damaged_file", f"{context}: {error}")
        try:
            with Store.open(self._store) as store:
                images = store.find(NAME)
                stored = self._check_rows(store, context)
                expected = set(before) & set(self.files)
                if images is None or expected - stored:
                    self.tally.note("lost", f"{context}: {len(expected - stored)}")
                with suppress(ClipsearchError):
                    store.drop("clipsearch_demo")
        except ClipsearchError as error:
            self.tally.note("not_reopened", f"{context}: {error}")
            self._store.unlink()
        self._complete(context, rehash=operation == "rehash")
        deadline = time.monotonic() + END_SECONDS
        while left := self._left_behind():
            if time.monotonic() > deadline:
                self.tally.note("left_behind", f"{context}: {left}")
                break
            time.sleep(0.2)

    def _check_rows(self, store: Store, context: str) -> set[Path]:
        rows = list(store.collection(NAME).scan_rows())
        self.tally.counts["rows_checked"] += len(rows)
        if len(rows) != len({row.record.id for row in rows}):
            self.tally.note("duplicated", context)
        for row in rows:
            vector = self._vectors[row.record.content_hash]
            if row.record.id != image_id(row.record.path) or not np.allclose(
                row.embedding, vector, atol=TOLERANCE
            ):
                self.tally.note("misattributed", f"{context}: {row.record.path}")
        return {row.record.path for row in rows}

    def _complete(self, context: str, *, rehash: bool) -> None:
        """Ingest again, and compare with the files."""
        with Store.open(self._store) as store:
            images = store.find(NAME) or store.create(NAME, self._encoder.identity)
            known = {record.content_hash for record in images.scan()}
            missing = set(self.files.values()) - known
            self._encoder.embedded_images = 0
            options = IngestOptions(prune=True, force=True, rehash=rehash)
            ingest(FileSource([self._place / "files"]), images, self._encoder, options)
            if self._encoder.embedded_images > len(missing):
                self.tally.note("embedded_twice", context)
            self._check_rows(store, context)
            if {record.path: record.content_hash for record in images.scan()} != self.files:
                self.tally.note("lost", f"{context}: not complete")

    def _left_behind(self) -> list[str]:
        TemporaryFolder().remove()
        paths = [*(self._place / "tmp").iterdir(), *self._place.glob("*.part")]
        return [path.name for path in paths if not path.name.startswith(".clipsearch")]

    def _change(self) -> None:
        """Change, add, move and delete some files."""
        for path in self._random.sample(sorted(self.files), 14):
            match self._random.randrange(4):
                case 0:
                    path.unlink()
                    del self.files[path]
                    self._add()
                case 1:
                    self._write(path)
                case 2:
                    moved = path.with_name(f"moved{self._random.randrange(10**9)}.png")
                    path.rename(moved)
                    self.files[moved] = self.files.pop(path)
                case 3:
                    os.utime(path)

    def _add(self) -> None:
        self._write(self._place / "files" / f"{self._random.randrange(10**9)}.png")

    def _write(self, path: Path) -> None:
        hashed = self._random.choice(sorted(self._pool))
        temporary = self._place / "new.png"
        shutil.copyfile(self._pool[hashed], temporary)
        temporary.replace(path)
        self.files[path] = hashed


def children(pid: int) -> list[int]:
    """Return the ids of the children of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


if __name__ == "__main__":
    sys.exit(run_kills(__doc__, OPERATIONS, lambda folder, seed, _: Torture(folder, seed)))
