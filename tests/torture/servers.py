"""First writers at once, and restarts of a Milvus server, with a check of every row afterwards.

    python -m tests.torture.servers --runs 20 --scenario restart

`writers` lets two to four processes ingest into one new collection, at times with two models, at
times without a catalog. `restart` kills or stops the server during an ingestion and under an open
`Index` that released its collection at times, and starts it again.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch import Index
from clipsearch.errors import ClipsearchError
from clipsearch.store import Store
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.milvus_binary import FORGETS_SOON, BundledServer, StartedServer
from tests.helpers.milvus_server import wait_until_ready
from tests.torture.driver import Tally
from tests.torture.process import Victim

FAULTS = (
    *("lost", "doubled", "wrong_vector", "wrong_count", "wrong_catalog"),
    *("command_failed", "not_completed", "no_answer", "both_models"),
)
READY_SECONDS = 180.0
IMAGES = 60


class Servers:
    """A server, folders of images, and counts of runs and faults."""

    def __init__(self, server: BundledServer, folder: Path, *, seed: int) -> None:
        """Draw the images and start the server."""
        self.tally = Tally(FAULTS)
        self._random = random.Random(seed)
        self._server, self._number = server, 0
        self._folders = [folder / f"folder {n}" for n in range(5)]
        for n, one in enumerate(self._folders):
            for k in range(IMAGES):
                color = (40 * n + 20, 4 * k + 3, (k * 37) % 256)
                draw(one / f"{k}.png", color, size=(8, 8))
        self._start()

    def writers(self) -> None:
        """Let two to four processes create and fill one collection."""
        name, count = self._new_name(), self._random.randint(2, 4)
        has_two_models = self._random.random() < 0.4
        if self._random.random() < 0.3:
            self._drop_catalog()
        start = time.time() + 2.5 * count
        weights = [f"w{n % 2 if has_two_models else 0}" for n in range(count)]
        # All have the first folder, and one of their own.
        folders = [[self._folders[0], self._folders[n + 1]] for n in range(count)]
        children = [
            self._child(name, weight, start, 40, used)
            for weight, used in zip(weights, folders, strict=True)
        ]
        results = [self._result(child) for child in children]
        winners = {w for w, result in zip(weights, results, strict=True) if "stored" in result}
        if len(winners) != 1:
            self.tally.note("both_models", f"{name}: {results}")
        for weight, result in zip(weights, results, strict=True):
            if weight not in winners and "ModelMismatchError" not in result:
                self.tally.note("command_failed", f"{name}: {result}")
            if weight in winners and "stored" not in result:
                self.tally.note("command_failed", f"{name}: {result}")
        stored = {
            folder
            for weight, used in zip(weights, folders, strict=True)
            if weight in winners
            for folder in used
        }
        self._check(name, sorted(stored), next(iter(winners), ""))
        self.tally.counts["writers"] += 1

    def restart(self) -> None:
        """Restart the server during an ingestion and under an open Index."""
        name, filled = self._new_name(), self._new_name()
        self._result(self._child(filled, "w0", 0, 40, self._folders[:1]))
        kill = self._random.random() < 0.7
        encoder = ColorEncoder("w0", "color")
        with Index.open(self._server.uri, collection=filled, model=encoder) as index:
            self._ask(index)
            child = self._child(name, "w0", 0, self._random.choice([20, 40, 70]), self._folders)
            for _ in range(self._random.randint(1, 4)):
                child.next_event()
            time.sleep(self._random.uniform(0, 0.4))
            self.tally.counts["kills" if kill else "stops"] += 1
            self._server.kill() if kill else self._server.terminate()
            time.sleep(self._random.choice([0, 0, 3]))
            self._start()
            self._ask(index)
            if self._random.random() < 0.5:
                release(self._server.uri, filled)
                self._ask(index)
        result = self._result(child)
        if "stored" not in result:
            self.tally.counts["ended with an error"] += 1
            print(result, file=sys.stderr)
            again = self._result(self._child(name, "w0", 0, 40, self._folders))
            if "stored" not in again:
                self.tally.note("not_completed", f"{result}, then {again}")
        self._check(name, self._folders, "w0")
        self._check(filled, self._folders[:1], "w0")
        self.tally.counts["restarts"] += 1

    def _ask(self, index: Index) -> None:
        started = time.monotonic()
        try:
            [hit] = index.search(image=self._folders[0] / "7.png", limit=1)
            if hit.path != self._folders[0] / "7.png" or len(index) != IMAGES:
                self.tally.note("no_answer", f"{hit.path}, {len(index)} images")
        except (ClipsearchError, ValueError) as error:
            self.tally.note("no_answer", f"{type(error).__name__}: {error}")
        seconds = round(time.monotonic() - started)
        self.tally.counts["longest answer, s"] = max(
            seconds, self.tally.counts["longest answer, s"]
        )

    def _check(self, name: str, folders: Sequence[Path], weights: str) -> None:
        expected = {path for folder in folders for path in folder.iterdir()}
        with Store.open(self._server.uri) as store:
            info = store.collection(name).info
            rows = list(store.collection(name).scan_rows())
            paths = [row.record.path for row in rows]
            count = store.collection(name).count()
            listed = [each.name for each in store.collections()]
            store.drop(name)
        self.tally.counts["rows_checked"] += len(rows)
        if missing := expected.difference(paths):
            self.tally.note("lost", f"{name}: {len(missing)} of {len(expected)}", len(missing))
        if len(paths) != len(set(paths)) or set(paths) - expected:
            self.tally.note("doubled", f"{name}: {len(paths)} rows of {len(set(paths))} images")
        if count != len(expected):
            self.tally.note("wrong_count", f"{name}: {count} instead of {len(expected)}")
        for row in rows:
            vector = np.append(np.asarray(Image.open(row.record.path))[0, 0], 0.0)
            if row.embedding @ vector / np.linalg.norm(vector) < 0.999:
                self.tally.note("wrong_vector", f"{name}: {row.record.path}")
        if info.model.weights != weights or set(info.roots) != set(folders) or name not in listed:
            self.tally.note("wrong_catalog", f"{name}: {info}")
        if info.rows != len(expected):
            self.tally.note("wrong_catalog", f"{name}: bound {info.rows} of {len(expected)}")

    def _child(
        self, name: str, weights: str, start: float, write: int, folders: Sequence[Path]
    ) -> Victim:
        arguments = [self._server.uri, name, weights, str(start), str(write), *map(str, folders)]
        return Victim(["-m", "tests.torture.server_child", *arguments])

    def _result(self, child: Victim) -> str:
        last = "nothing"
        while (event := child.next_event()) is not None:
            last = event
        status, errors = child.wait()
        if "does not answer" in errors:
            self.tally.counts["waited for the server"] += 1
        return last if status == 0 else f"{last}, status {status}: {errors[-500:]}"

    def _new_name(self) -> str:
        self._number += 1
        return f"torture_{self._number}"

    def _drop_catalog(self) -> None:
        from pymilvus import MilvusClient

        client = MilvusClient(self._server.uri)
        client.drop_collection("clipsearch_catalog")
        client.close()
        self.tally.counts["without a catalog"] += 1

    def _start(self) -> None:
        self._server.start()
        wait_until_ready(StartedServer(self._server.uri, self._server.death), seconds=READY_SECONDS)


def release(uri: str, name: str) -> None:
    """Release a collection, as another program may do."""
    from pymilvus import MilvusClient

    client = MilvusClient(uri)
    client.release_collection(name)
    client.close()


def main() -> int:
    """Run what the options ask for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="of each scenario (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--scenario", action="append", choices=["writers", "restart"])
    parser.add_argument("--unpacked", type=Path, help="keeps the executables between runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        folder = Path(name)
        unpacked = options.unpacked or folder / "bin"
        server = BundledServer(unpacked, folder / "server", settings=FORGETS_SOON)
        servers = Servers(server, folder, seed=options.seed)
        try:
            for number in range(options.runs):
                for scenario in options.scenario or ["writers", "restart"]:
                    getattr(servers, scenario)()
                print(number + 1, "runs", dict(servers.tally.counts), file=sys.stderr, flush=True)
        finally:
            server.close()
    print(json.dumps(servers.tally.result(), indent=2))
    return 1 if servers.tally.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
