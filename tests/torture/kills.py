"""Kills of a writing process, of its Milvus Lite or of both, and the store afterwards."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

import numpy as np

from clipsearch.errors import ClipsearchError
from clipsearch.images.hashing import image_id
from clipsearch.records import ImageRecord
from clipsearch.store import Collection, Store
from tests.helpers.fakes import ColorEncoder
from tests.torture.folder import Folder
from tests.torture.victim import NAME, update

ROOT = Path(__file__).parents[2]
OPERATIONS = ("tag", "tag", "tag", "ingest", "ingest", "ingest", "remove", "drop", "textness")
TARGETS = ("lite", "command", "both")
WRITE_SECONDS = 0.06
"""About the time of one write, within which the kill comes."""

FAULTS = ("lost", "misattributed", "duplicated", "embedded_twice", "stale", "not_reopened")


class Torture:
    """A folder, a store of it, and counts of kills, checked rows and faults."""

    def __init__(self, folder: Path, *, images: int, seed: int) -> None:
        """Draw the images and ingest them."""
        self._store = folder / "images.db"
        self._random = random.Random(seed)
        self._folder = Folder(folder / "images", images, seed)
        self._counts: Counter[str] = Counter()
        self.messages: list[str] = []
        with Store.open(self._store) as store:
            encoder = ColorEncoder()
            update(store.create(NAME, encoder.identity), self._folder.path, encoder)

    @property
    def has_failed(self) -> bool:
        """Whether any count of FAULTS is not zero."""
        return any(self._counts[fault] for fault in FAULTS)

    def result(self) -> dict[str, object]:
        """Return all counts, and what went wrong."""
        counts = {name: self._counts[name] for name in ("kills", "rows_checked", *FAULTS)}
        return {**counts, **dict(sorted(self._counts.items())), "messages": self.messages[-5:]}

    def kill(self, operations: list[str] | None = None) -> None:
        """Start one operation, kill it, and check the store; then complete it and check again."""
        operation = self._random.choice(operations or OPERATIONS)
        target = self._random.choice(TARGETS)
        before = dict(self._folder.hashes)
        if operation in {"ingest", "drop"}:
            self._folder.change()
        acknowledged = self._run(operation, target)
        self._counts["kills"] += 1
        self._counts[f"kills of {operation}"] += 1
        self._counts[f"kills of {target}"] += 1
        try:
            with Store.open(self._store) as store:
                self._check(store, operation, acknowledged, before)
        except ClipsearchError as error:
            self._note("not_reopened", 1, f"{operation}, {target}: {error}")
            self._store.unlink()
            with Store.open(self._store) as store:
                self._complete(store)

    def _run(self, operation: str, target: str) -> int:
        """Run the victim and kill it; return the last round that it had finished, or -1."""
        arguments = [str(self._store), str(self._folder.path), operation]
        event, delay = self._random.randint(1, 5), self._random.uniform(0, WRITE_SECONDS)
        acknowledged = -1
        with subprocess.Popen(
            [sys.executable, "-m", "tests.torture.victim", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            lite = int(process.stdout.readline())
            for line in process.stdout:
                if line.startswith("done "):
                    acknowledged = int(line.split()[1])
                    continue
                event -= 1
                if event == 0:
                    time.sleep(delay)
                    with suppress(ProcessLookupError):
                        if target != "command":
                            os.kill(lite, SIGKILL)
                        if target != "lite":
                            process.kill()
            process.wait()
            self._counts[f"exit {process.returncode} after a kill of {target}"] += 1
            assert process.stderr is not None
            if "Traceback" in (output := process.stderr.read()) and target == "lite":
                self.messages.append(output.strip())
        return acknowledged

    def _check(
        self, store: Store, operation: str, acknowledged: int, before: dict[Path, str]
    ) -> None:
        """Count the faults of the store after a kill; complete it, and count again."""
        images = store.find(NAME)
        if images is not None:
            records = self._check_rows(images, operation)
            after = self._folder.hashes
            expected = {path for path in before if path in after}
            if operation == "remove":
                expected = {path for path in expected if path.parent.name != "removed"}
            lost = len(expected - {record.path for record in records})
            if operation == "drop":  # rows are there again once they are ingested again
                lost = 0
            self._note("lost", lost, operation)
            if operation == "tag":
                tags = {record.tags for record in records}
                allowed = {(f"t{acknowledged}",), (f"t{acknowledged + 1}",)}
                stale = sum(record.tags not in allowed for record in records)
                self._note("stale", stale if acknowledged >= 0 else 0, f"tags: {tags}")
            if operation == "textness" and acknowledged >= 0:
                stored = (images.textness() or {"number": -1})["number"]
                self._note("stale", int(stored < acknowledged), f"textness {stored}")
        elif operation != "drop":
            self._note("lost", len(before), f"{operation}: no collection")
        self._complete(store)

    def _check_rows(self, images: Collection, operation: str) -> list[ImageRecord]:
        """Compare each row with the content that it names; return all records."""
        rows = list(images.scan_rows())
        self._counts["rows_checked"] += len(rows)
        ids = Counter(row.record.id for row in rows)
        self._note("duplicated", len(rows) - len(ids), operation)
        self._note("duplicated", images.count() - len(ids), f"{operation}, counted")
        wrong = sum(
            row.record.id != image_id(row.record.path)
            or not np.allclose(
                row.embedding, self._folder.vector_of(row.record.content_hash), atol=1e-5
            )
            for row in rows
        )
        self._note("misattributed", wrong, operation)
        return [row.record for row in rows]

    def _complete(self, store: Store) -> None:
        """Ingest again: only contents that the store does not have are embedded."""
        encoder = ColorEncoder()
        images = store.find(NAME)
        images = store.create(NAME, encoder.identity) if images is None else images
        known = {record.content_hash for record in images.scan()}
        missing = set(self._folder.hashes.values()) - known
        update(images, self._folder.path, encoder)
        self._note("embedded_twice", encoder.embedded_images - len(missing), "embedded")
        self._check_rows(images, "completed")
        self._note("lost", int(not self._folder.is_complete(images)), "not complete")

    def _note(self, fault: str, count: int, message: str) -> None:
        if count:
            self._counts[fault] += count
            self._counts[f"kills with rows {fault}"] += 1
            self.messages.append(f"{fault} {count}: {message}")
