"""Kill a reindex on a Milvus server at random moments, while another process writes.

    python -m tests.torture.reindex_server --kills 20 --seed 1

As `tests.torture.reindex`. At times another process ingests an image or reindexes meanwhile: it may
stop with an error that says so, but what it has reported as done must be there in the end.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clipsearch.store import Store
from ingest.reindex import run
from tests.helpers.milvus_binary import BundledServer, StartedServer
from tests.helpers.milvus_server import wait_until_ready
from tests.torture.driver import run_kills
from tests.torture.reindex import OPERATIONS, REFUSALS, ReindexTorture, ingest_folder


class ServerReindexTorture(ReindexTorture):
    """A collection of a server, reindexed and killed again and again."""

    def __init__(self, folder: Path, seed: int, operations: Sequence[str]) -> None:
        """Start the server, which ends with this process."""
        self._server = BundledServer(folder / "bin", folder / "server")
        self._server.start()
        ready = StartedServer(self._server.uri, self._server.death)
        wait_until_ready(ready, seconds=180)
        run.GRACE_SECONDS = 0.0
        super().__init__(folder, seed, operations)

    def _place(self, folder: Path) -> str:
        return self._server.uri

    def _strike(self, operation: str) -> None:
        second = self._random.choice(["", "schema", "ingest"])
        if not second:
            super()._strike(operation)
            return
        self._draw()
        other = self._start(second, self._images)
        time.sleep(self._random.uniform(0, 1))
        super()._strike(operation)
        status, errors = other.wait()
        self.tally.counts[f"second {second}"] += 1
        self.tally.counts[f"second {second} stopped"] += status != 0
        if status and not any(text in errors for text in REFUSALS):
            self.tally.note("failed", f"{second} beside {operation}: {errors[-600:]}")
        if status or second == "schema":
            with Store.open(self._store) as store:
                ingest_folder(store, self._images)


if __name__ == "__main__":
    sys.exit(run_kills(__doc__, OPERATIONS, ServerReindexTorture))
