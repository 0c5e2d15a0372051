"""Kills of writing processes, of their daemon and Milvus Lite, and the store afterwards."""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch.errors import ClipsearchError, MissingCollectionError
from clipsearch.images.hashing import image_id
from clipsearch.records import ImageRecord
from clipsearch.store import Collection, Store
from clipsearch.temporary_folder import TemporaryFolder
from tests.helpers.fakes import ColorEncoder
from tests.torture.damage import damage, repair
from tests.torture.folder import Folder
from tests.torture.process import Victim
from tests.torture.victim import NAME, update

WEIGHTS = {
    "tag": 3,
    "ingest": 3,
    "rehash": 1,
    "create": 2,
    "repair": 2,
    "remove": 1,
    "drop": 1,
    "textness": 1,
    "pair": 2,
}
"""The operations, and how often each is chosen. A pair is `ingest` and `tag`, with a daemon."""

EVENTS = {"create": 9, "remove": 4, "repair": 5, "drop": 7, "pair": 10}
"""Up to how many writes of an operation come before the kill; 5 for others."""

DAEMON_SHARE = 0.4
"""How many of the operations write through a daemon."""

WRITE_SECONDS = 0.06
"""About the time of one write, within which the kill comes."""

END_SECONDS = 5.0

FAULTS = (
    "lost",
    "misattributed",
    "duplicated",
    "embedded_twice",
    "stale",
    "not_reopened",
    "command_failed",
    "left_behind",
)


@dataclass(frozen=True)
class Plan:
    """What runs, what of it is killed (command, second, daemon, lite), and when."""

    operation: str
    has_daemon: bool
    targets: frozenset[str]
    event: int
    delay: float

    def __str__(self) -> str:
        daemon = " by a daemon" if self.has_daemon else ""
        return f"{self.operation}{daemon}, kill of {'+'.join(sorted(self.targets))}"


class Torture:
    """A folder, a store of it, and counts of kills, checked rows and faults."""

    def __init__(
        self, folder: Path, *, images: int, seed: int, daemon_share: float = DAEMON_SHARE
    ) -> None:
        """Draw the images and ingest them."""
        self._store = folder / "images.db"
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._runtime = folder / "run"
        self._runtime.mkdir(mode=0o700)
        self._random = random.Random(seed)
        self._daemon_share = daemon_share
        self._folder = Folder(folder / "images", images, seed)
        self._counts: Counter[str] = Counter()
        self.messages: list[str] = []
        with Store.open(self._store) as store:
            self._complete(store, "start")

    @property
    def has_failed(self) -> bool:
        """Whether any count of FAULTS is not zero."""
        return any(self._counts[fault] for fault in FAULTS)

    def result(self) -> dict[str, object]:
        """Return all counts, and what went wrong."""
        counts = {name: self._counts[name] for name in ("kills", "rows_checked", *FAULTS)}
        return {**counts, **dict(sorted(self._counts.items())), "messages": self.messages}

    def kill(self, operations: Sequence[str] = ()) -> None:
        """Start one operation, kill it, and check the store; then complete it and check again.

        If the operation ends before the kill, another one is started.
        """
        kills = self._counts["kills"]
        while self._counts["kills"] == kills:
            self._kill(self._plan(operations))

    def _plan(self, operations: Sequence[str]) -> Plan:
        weights = {name: WEIGHTS[name] for name in operations or WEIGHTS}
        [operation] = self._random.choices(list(weights), list(weights.values()))
        is_pair = operation == "pair"
        has_daemon = is_pair or self._random.random() < self._daemon_share
        parts = ["command", "lite", *["daemon"] * has_daemon, *["second"] * is_pair]
        if self._random.random() < 0.3:
            targets = frozenset(parts)
        else:
            targets = frozenset(self._random.sample(parts, self._random.randint(1, 2)))
        event = self._random.randint(1, EVENTS.get(operation, 5))
        delay = self._random.uniform(0, WRITE_SECONDS)
        return Plan(operation, has_daemon, targets, event, delay)

    def _kill(self, plan: Plan) -> None:
        before = self._prepare(plan)
        old_folder, tempfile.tempdir = tempfile.tempdir, str(self._temporary)
        try:
            acknowledged = self._run(plan)
            if acknowledged is None:
                self._counts["too late"] += 1
            try:
                self._check(plan, -1 if acknowledged is None else acknowledged, before)
            except ClipsearchError as error:
                self._note("not_reopened", 1, f"{plan}: {type(error).__name__}: {error}")
                self._store.unlink()
                with Store.open(self._store) as store:
                    self._complete(store, "new store")
            self._note("left_behind", *self._left_behind(plan))
        finally:
            tempfile.tempdir = old_folder

    def _prepare(self, plan: Plan) -> dict[Path, str]:
        """Make what an operation needs; return what the store must still hold after its kill."""
        before = dict(self._folder.hashes)
        match plan.operation:
            case "ingest" | "drop" | "rehash" | "pair":
                self._folder.change(keep_time=plan.operation == "rehash")
            case "create":
                before = {}
                if self._random.random() < 0.5:
                    self._store.unlink()
                else:
                    with Store.open(self._store) as store:
                        store.drop(NAME)
            case "repair":
                # A daemon cannot open a store that Milvus Lite cannot load.
                damage(self._store, self._random, unreadable=not plan.has_daemon)
        return before

    def _run(self, plan: Plan) -> int | None:
        """Run a plan; return the last round that the command had finished, None without a kill."""
        environment = {"TMPDIR": str(self._temporary), "XDG_RUNTIME_DIR": str(self._runtime)}

        def victim(operation: str) -> Victim:
            arguments = [str(self._store), str(self._folder.path), operation]
            return Victim(["-m", "tests.torture.victim", *arguments], environment)

        with ExitStack() as stack:
            daemon = None
            if plan.has_daemon:
                daemon = Victim(["-m", "tests.torture.daemon", self._store], environment)
                stack.callback(daemon.wait)
                stack.callback(daemon.kill)
                while daemon.next_event() not in ("listens", None):
                    pass
            is_pair = plan.operation == "pair"
            command = victim("ingest" if is_pair else plan.operation)
            second = victim("retag") if is_pair else None
            is_killed = self._strike(plan, command, second, daemon)
            for name, process in (("command", command), ("second", second)):
                if process is not None:
                    status, errors = process.wait()
                    failed = status and not process.was_killed
                    if failed and not (is_pair and _was_refused(errors)):
                        last = errors.strip().splitlines()[-3:]
                        self._note("command_failed", 1, f"{plan}: {name} {status}: {last}")
        if not is_killed:
            return None
        self._counts["kills"] += 1
        self._counts[f"kills of {plan.operation}"] += 1
        self._counts["kills with a daemon"] += plan.has_daemon
        for target in plan.targets:
            self._counts[f"kills of the {target}"] += 1
        return command.acknowledged

    def _strike(
        self, plan: Plan, command: Victim, second: Victim | None, daemon: Victim | None
    ) -> bool:
        """Kill the targets after the event of the plan; tell whether one was there to kill."""
        events = plan.event
        while events and (event := command.next_event()) is not None:
            events -= not event.startswith("lite ") or plan.operation == "create"
        if events:
            return False
        time.sleep(plan.delay)
        if "lite" in plan.targets:
            for process in filter(None, (daemon, command, second)):
                process.kill_lite()
        for name, victim in (("daemon", daemon), ("command", command), ("second", second)):
            if victim is not None and name in plan.targets:
                victim.kill()
        if daemon is None and plan.targets == {"lite"} and command.lite is None:
            return False
        return "command" not in plan.targets or command.was_killed

    def _check(self, plan: Plan, acknowledged: int, before: dict[Path, str]) -> None:
        """Count the faults of the store after a kill; complete it, and count again."""
        operation, known_lost = plan.operation, 0
        if operation == "repair":
            known_lost = repair(self._store)
            self._note("stale", repair(self._store), "check --repair did not repair all")
        with Store.open(self._store) as store:
            store.collections()
            with suppress(MissingCollectionError):
                store.collection(NAME)
            images = store.find(NAME)
            if images is not None:
                records = self._check_rows(images, str(plan))
                after = self._folder.hashes
                expected = {path for path in before if path in after}
                if operation == "remove":
                    expected = {path for path in expected if path.parent.name != "removed"}
                lost = len(expected - {record.path for record in records})
                if operation in ("drop", "create"):  # rows are there again once they are ingested
                    lost = 0
                self._note("lost", max(0, lost - known_lost), str(plan))
                if operation == "tag" and acknowledged >= 0:
                    tags = Counter(record.tags for record in records)
                    allowed = {(f"t{acknowledged}",), (f"t{acknowledged + 1}",)}
                    stale = sum(count for tag, count in tags.items() if tag not in allowed)
                    self._note("stale", stale, f"{plan}: {acknowledged}, {tags}")
                if operation == "textness" and acknowledged >= 0:
                    stored = (images.textness() or {"number": -1})["number"]
                    self._note("stale", int(stored < acknowledged), f"{plan}: {stored}")
            elif operation not in ("drop", "create"):
                self._note("lost", len(before), f"{plan}: no collection")
            self._complete(store, str(plan), rehash=operation == "rehash")

    def _check_rows(self, images: Collection, context: str) -> list[ImageRecord]:
        """Compare each row with the content that it names; return all records."""
        rows = list(images.scan_rows())
        self._counts["rows_checked"] += len(rows)
        ids = Counter(row.record.id for row in rows)
        self._note("duplicated", len(rows) - len(ids), context)
        self._note("duplicated", images.count() - len(ids), f"{context}, counted")
        wrong = sum(
            row.record.id != image_id(row.record.path)
            or not np.allclose(
                row.embedding, self._folder.vector_of(row.record.content_hash), atol=1e-5
            )
            for row in rows
        )
        self._note("misattributed", wrong, context)
        return [row.record for row in rows]

    def _complete(self, store: Store, context: str, *, rehash: bool = False) -> None:
        """Ingest again: only contents that the store does not have are embedded."""
        encoder = ColorEncoder()
        images = store.find(NAME)
        images = store.create(NAME, encoder.identity) if images is None else images
        known = {record.content_hash for record in images.scan()}
        missing = set(self._folder.hashes.values()) - known
        update(images, self._folder.path, encoder, rehash=rehash)
        twice = encoder.embedded_images - len(missing)
        self._note("embedded_twice", twice, f"{context}, completed")
        self._check_rows(images, f"{context}, completed")
        self._note("lost", int(not self._folder.is_complete(images)), f"{context}, not complete")

    def _left_behind(self, plan: Plan) -> tuple[int, str]:
        """Count the temporary files of killed processes that a later one did not remove."""
        deadline = time.monotonic() + END_SECONDS
        while True:
            TemporaryFolder().remove()
            names = [path.name for path in self._temporary.iterdir()]
            if not names or time.monotonic() > deadline:
                return len(names), f"{plan}: {names}"
            time.sleep(0.1)  # a Milvus Lite whose parent was killed ends soon

    def _note(self, fault: str, count: int, message: str) -> None:
        if count:
            self._counts[fault] += count
            self._counts[f"kills with {fault}"] += 1
            self.messages.append(f"{fault} {count}: {message}")
            print(self.messages[-1], file=sys.stderr, flush=True)


def _was_refused(errors: str) -> bool:
    """Whether a command ended because another one has the store; only one of two may write."""
    return "StoreError" in errors.strip().splitlines()[-1]
