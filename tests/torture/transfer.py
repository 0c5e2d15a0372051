"""Kill copies and imports at random moments; run by hand: python -m tests.torture.transfer 100."""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clipsearch.store import Store
from clipsearch.transfer import copy_rows, table_files
from clipsearch.transfer.copy_collection import copy_collections
from clipsearch.transfer.export import export_collection
from clipsearch.transfer.import_files import find_exported, import_exported
from tests.helpers.full_rows import contents, full_rows
from tests.helpers.records import MODEL

ROWS = 1_500
SECONDS = 1.5
"""About the time of a whole copy after the child is ready."""


class TransferKills:
    """A source, its export, and a target that children fill until they are killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Make the source and the export."""
        self._random = random.Random(seed)
        self._source = folder / "source.db"
        self._target = folder / "target.db"
        self._file = folder / "all.parquet"
        with Store.open(self._source) as store:
            collection = store.create("images", MODEL)
            collection.upsert(full_rows(ROWS))
            collection.finish_writes()
            self._wanted = contents(collection)
            export_collection(collection, self._file)
        self.kills = self.completions = self.interrupted_rows = 0

    def run(self, operation: str, kills: int) -> None:
        """Kill so many children, and check after each that the target has no wrong row."""
        end = self.kills + kills
        while self.kills < end:
            self._target.unlink(missing_ok=True)
            present = -1
            while (
                self.kills < end and present < ROWS and self._run_child(operation, is_killed=True)
            ):
                with Store.open(self._target) as store:
                    collection = store.find("images")
                    stored = contents(collection) if collection else {}
                assert stored.items() <= self._wanted.items(), "a row of the target is wrong"
                assert len(stored) >= present, "rows of the target were lost"
                present = len(stored)
                self.interrupted_rows += 0 < present < ROWS
            self._run_child(operation, is_killed=False)
            with Store.open(self._target) as store:
                assert contents(store.collection("images")) == self._wanted
            self.completions += 1

    def _run_child(self, operation: str, *, is_killed: bool) -> bool:
        """Run one child; return whether it was killed before it had completed."""
        paths = (self._source, self._target, self._file)
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.transfer", operation, *paths],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        if is_killed:
            time.sleep(self._random.uniform(0, SECONDS))
            child.kill()
        status = child.wait()
        child.stdout.close()
        if status == 0:
            return False
        assert status == -signal.SIGKILL, f"the child failed: {status}"
        self.kills += 1
        return True


def work(operation: str, source: Path, target: Path, file: Path) -> None:
    """Copy or import in small batches, as a child that may be killed."""
    copy_rows.RANGE_ROWS = 200
    copy_rows.BATCH_BYTES = 25 * 16
    table_files.BATCH_ROWS = 25
    files, found = find_exported([file])
    with Store.open(target) as to_store, Store.open(source) as from_store:
        print("ready", flush=True)
        if operation == "copy":
            assert all(one.rows.is_complete for one in copy_collections(from_store, to_store))
        else:
            import_exported(files, found, to_store, "images")


def main() -> None:
    """Be a child, or kill as many as the argument says."""
    if len(sys.argv) > 2:
        work(sys.argv[1], *map(Path, sys.argv[2:]))
        return
    with tempfile.TemporaryDirectory() as folder:
        for operation in ("copy", "import"):
            (place := Path(folder, operation)).mkdir()
            kills = TransferKills(place, seed=random.randrange(2**32))
            kills.run(operation, int(sys.argv[1]))
            print(
                f"{operation}: {kills.kills} kills, {kills.interrupted_rows} between the first row "
                f"and the last, {kills.completions} completed, no fault"
            )


if __name__ == "__main__":
    main()
