"""An ingestion of an archive that is killed, and the next one."""

import subprocess
import sys
from pathlib import Path

import pytest

from clipsearch.store import Store
from ingest.options import IngestOptions
from ingest.pipeline import WRITE, ingest
from ingest.sources.source import open_source
from tests.helpers.archives import Mode, sample, write_tar
from tests.helpers.fakes import ColorEncoder
from tests.helpers.ingestion import counts

MEMBERS = 2 * WRITE + 50
VICTIM = """
import sys, time
from clipsearch.store import Collection, Store
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.sources.source import open_source
from tests.helpers.fakes import ColorEncoder

write = Collection.upsert

def write_and_wait(collection, rows):
    write(collection, rows)
    print("written", flush=True)
    time.sleep(600)

Collection.upsert = write_and_wait
with Store.open(sys.argv[1]) as store:
    images = store.open_or_create("images", ColorEncoder().identity)
    ingest(open_source([sys.argv[2]]), images, ColorEncoder(), IngestOptions())
"""


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_run_that_is_killed_within_an_archive_is_completed_by_the_next(
    tmp_path: Path, mode: Mode
) -> None:
    members = [
        member
        for number in range(MEMBERS)
        for member in sample(f"{number:04}", (number % 256, number // 256, 9), number=number)
    ]
    shard = write_tar(tmp_path / "s.tar", members, mode)
    path, encoder = tmp_path / "a.db", ColorEncoder()
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, path, shard], stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout is not None
    with victim.stdout:
        assert victim.stdout.readline() == "written\n"
        victim.kill()
    victim.wait()
    with Store.open(path) as store:
        images = store.collection("images")
        assert images.count() == WRITE
        assert images.archives.read() == {}
        for count in ({"unchanged": WRITE, "stored": MEMBERS - WRITE}, {"unchanged": MEMBERS}):
            report = ingest(open_source([shard]), images, encoder, IngestOptions())
            assert counts(report) == count
        assert encoder.embedded_images == MEMBERS - WRITE
        assert list(images.archives.read()) == [shard]
        records = list(images.scan())
    assert len(records) == MEMBERS
    assert {record.path for record in records} == {
        shard / f"{number:04}.png" for number in range(MEMBERS)
    }
    assert all(record.metadata == {"number": int(record.path.stem)} for record in records)
