"""Kill a reindex at random moments, also around the switch, and complete it.

    python -m tests.torture.reindex --kills 20 --seed 1

After each kill the collection must hold every image, with vectors of one model only, and the next
reindex must complete. Prints the counts as JSON; exits with 1 if anything was lost or wrong.
"""

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch.errors import ClipsearchError
from clipsearch.session import open_store
from clipsearch.store import Store
from clipsearch.store.milvus import MilvusBackend
from clipsearch.types import Pixels, Vectors
from clipsearch.vectors import normalize
from ingest import pipeline
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.reindex import run
from ingest.reindex.run import ReindexOptions, cancel, drop_old, reindex, roll_back
from ingest.sources.source import open_source
from tests.helpers.fakes import ColorEncoder, draw
from tests.torture.driver import Tally, run_kills
from tests.torture.process import Victim
from tests.torture.victim import NAME, announce, announce_lite

OPERATIONS = ("model", "schema", "drop_old", "rollback", "cancel")
FAULTS = ("lost", "mixed", "failed", "left")
IMAGES = 60
WRITE_ROWS = 8
"""Rows of a write, fewer than usual, so that there are more moments to kill between."""

EVENTS = 40
"""About as many writes has a reindex of all images: the kill comes after one of them."""

DELAY = 0.05

REFUSALS = (
    "no earlier generation",
    "ReindexedError",
    "is unfinished",
    "was dropped by another process",
)
"""Errors that tell a process that it, or another one, came too late."""


class TurnedEncoder(ColorEncoder):
    """A model with a number: the colors of its vectors are turned by so many places."""

    def __init__(self, number: int) -> None:
        super().__init__(weights=f"turned{number}", name=f"turned{number}")
        self._number = number

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        return np.roll(super().encode_images(pixels) + np.float32(5), self._number, axis=1)


def child(operation: str, path: str, number: str) -> None:
    """Run an operation, and announce each of its writes."""
    announce_lite()
    for method in ("create", "upsert", "delete", "drop"):
        announce(MilvusBackend, method, lambda *arguments, **_: f"write {arguments[1]}")
    pipeline.WRITE = WRITE_ROWS
    run.GRACE_SECONDS = 0.0
    with open_store(path) as store:
        match operation:
            case "model":
                reindex(store, NAME, TurnedEncoder(int(number)), _load, ReindexOptions())
            case "schema":
                reindex(store, NAME, None, _load, ReindexOptions(force=True))
            case "drop_old":
                drop_old(store, NAME)
            case "rollback":
                roll_back(store, NAME)
            case "cancel":
                cancel(store, NAME)
            case "ingest":
                ingest_folder(store, Path(number))


def ingest_folder(store: Store, folder: Path) -> None:
    """Ingest a folder by the model of the collection."""
    images = store.collection(NAME)
    ingest(open_source([folder]), images, _load(images.info.model.name), IngestOptions())


def _load(name: str) -> ColorEncoder:
    return TurnedEncoder(int(name.removeprefix("turned")))


class ReindexTorture:
    """A store of drawn images, reindexed and killed again and again."""

    def __init__(self, folder: Path, seed: int, _operations: Sequence[str]) -> None:
        """Draw the images and ingest them by the first model."""
        self.tally = Tally(FAULTS)
        self._random = random.Random(seed)
        self._images = folder / "images"
        self._store = self._place(folder)
        self._new: set[Path] = set()
        self._number = 0
        self._drawn = 0
        for _ in range(IMAGES):
            self._draw()
        with Store.open(self._store) as store:
            store.create(NAME, TurnedEncoder(0).identity)
            ingest_folder(store, self._images)

    def _place(self, folder: Path) -> str:
        """Return the file of the store."""
        return str(folder / "images.db")

    def kill(self, operations: Sequence[str]) -> None:
        """Kill one operation, check the store, complete a reindex, and check again."""
        operation = self._random.choice(operations)
        if operation in ("model", "cancel"):
            self._number += 1
        self._strike(operation)
        try:
            with Store.open(self._store) as store:
                self._check(store, operation)
                if self._random.random() < 0.5:  # what changes meanwhile
                    self._draw()
                    ingest_folder(store, self._images)
                self._complete(store, operation)
        except ClipsearchError as error:
            self.tally.note("failed", f"{operation}: {type(error).__name__}: {error}")

    def _start(self, operation: str, argument: str | Path) -> Victim:
        arguments = [operation, self._store, argument]
        return Victim(["-m", "tests.torture.reindex", "child", *arguments])

    def _strike(self, operation: str) -> None:
        """Start an operation and kill it at some moment."""
        victim = self._start(operation, str(self._number))
        few = operation in ("drop_old", "rollback", "cancel")
        events = self._random.randint(1, 4 if few else EVENTS)
        while events and victim.next_event() is not None:
            events -= 1
        time.sleep(self._random.uniform(0, DELAY))
        if self._random.random() < 0.5:
            victim.kill_lite()
        victim.kill()
        status, errors = victim.wait()
        self.tally.counts["kills"] += victim.was_killed
        self.tally.counts[f"{operation} killed"] += victim.was_killed
        if status and not victim.was_killed and not any(text in errors for text in REFUSALS):
            self.tally.note("failed", f"{operation}: {errors[-300:]}")

    def _check(self, store: Store, operation: str) -> int:
        """Count what is lost or of another model; return the number of the model."""
        images = store.collection(NAME)
        number = int(images.info.model.name.removeprefix("turned"))
        rows = {row.record.path: row.embedding for row in images.scan_rows()}
        missing = set(self._images.iterdir()) - set(rows)
        if operation == "rollback" and missing and missing <= self._new:
            ingest_folder(store, self._images)  # the old rows do not know them
            return self._check(store, "after a rollback")
        if images.info.is_catching_up:
            missing -= self._new
        if missing:
            self.tally.note("lost", f"{operation}: {len(missing)} images", len(missing))
        vectors = {path: self._vector(path, number) for path in rows}
        wrong = sum(not np.allclose(rows[path], vectors[path], atol=1e-4) for path in rows)
        if wrong:
            self.tally.note("mixed", f"{operation}: {wrong} vectors of another model", wrong)
        self.tally.counts["rows checked"] += len(rows)
        return number

    def _complete(self, store: Store, operation: str) -> None:
        """Finish what was begun, by the model that it was begun for."""
        info = store.collection(NAME).info
        if not info.is_up_to_date:
            self.tally.counts["continued" if info.next else "caught up"] += 1
            reindex(store, NAME, None, _load, ReindexOptions())
            self._check(store, "continued")
        if operation == "model" and self._check(store, "completed") != self._number:
            reindex(store, NAME, TurnedEncoder(self._number), _load, ReindexOptions())
            if self._check(store, "completed") != self._number:
                self.tally.note("failed", "the new model is not in use")
        if self._random.random() < 0.5:
            drop_old(store, NAME)
        info = store.collection(NAME).info
        known = {info.milvus_name, "clipsearch_catalog"}
        if info.previous is not None:
            known.add(info.previous.milvus_name)
        if left := set(store.backend.collection_names()) - known:
            self.tally.note("left", f"{operation}: {left}")

    def _draw(self) -> None:
        color = tuple(self._random.randrange(256) for _ in range(3))
        path = self._images / f"{self._drawn}.png"
        draw(path, (color[0], color[1], color[2]))
        self._new.add(path)
        self._drawn += 1

    def _vector(self, path: Path, number: int) -> Vectors:
        encoder = TurnedEncoder(number)
        with Image.open(path) as image:
            [vector] = encoder.encode_images([encoder.preprocess(image.convert("RGB"))])
        return normalize(vector)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:])
    else:
        sys.exit(run_kills(__doc__, OPERATIONS, ReindexTorture))
