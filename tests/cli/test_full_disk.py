"""Results and messages on a disk that is full: the path in the message, and exit code 1."""

from pathlib import Path

import pytest

from clipsearch.store.milvus_lite.native_server import native_library
from tests.helpers.small_disk import run_with_mounts

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")

SCRIPT = """
folder, images, store = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
mount(folder, 2_000)
assert run("ingest", images, "--uri", store, "--model", "pocket").returncode == 0
(folder / "sheet.html").write_text("old")
fill(folder)

def refused(done, path):
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert str(path) in done.stderr and "no space left on device" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr

for name in ("sheet.png", "sheet.html", "sheet.webp"):
    query = run("query", "red", "--uri", store, "--sheet", folder / name, "--paths")
    refused(query, folder / name)
explain = run("explain", "red", f"{images}/red.png", "-o", folder / "map.png")
refused(explain, folder / "map.png")
assert (folder / "sheet.html").read_text() == "old"
assert sorted(path.name for path in folder.iterdir()) == ["filler", "sheet.html"]

def printing(*arguments):
    command = [sys.executable, "-m", "clipsearch", *map(str, arguments)]
    with (folder / "out").open("w") as out:
        return subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, timeout=60)

for options in ([], ["--json"], ["--csv"], ["--paths"], ["-0"]):
    refused(printing("query", "red", "--uri", store, *options), folder / "out")
for command in (["models"], ["--help"], ["status", "--uri", store]):
    refused(printing(*command), folder / "out")

with (folder / "log").open("w") as log:  # messages are lost, the work is done
    command = [sys.executable, "-m", "clipsearch", "ingest", images, "--uri", f"{store}.2.db"]
    assert subprocess.run(command, stderr=log, timeout=60).returncode == 0
    command[-3:] = ["--no-such-option"]
    assert subprocess.run(command, stderr=log, timeout=60).returncode == 2

(folder / "cache").mkdir()
for variable in ("CLIPSEARCH_CACHE", "TMPDIR"):
    import os
    done = run("query", "red", "--uri", store, env={**os.environ, variable: f"{folder}/cache"})
    assert done.returncode == 0 or str(folder) in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
print("done")
"""


def test_output_on_a_full_disk(tmp_path: Path, image_folder: Path) -> None:
    (tmp_path / "disk").mkdir()
    store = tmp_path / "images.db"
    done = run_with_mounts(SCRIPT, tmp_path / "disk", image_folder, store)
    assert done.stdout == "done\n", done.stderr
