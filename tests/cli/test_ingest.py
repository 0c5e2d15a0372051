"""`clipsearch ingest` with the embedded model, on drawn images."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.commands import Run, one_line
from tests.helpers.fakes import draw

COMMAND = [sys.executable, "-m", "clipsearch"]


def test_paths_come_from_standard_input(run: Run, image_folder: Path) -> None:
    paths = b"\0".join(os.fsencode(path) for path in sorted(image_folder.iterdir()))
    assert "3 stored" in run("ingest", "-", stdin=paths).stderr
    assert "3 unchanged" in run("ingest", "-", stdin=paths.replace(b"\0", b"\n")).stderr
    nothing = run("ingest", "-")
    assert nothing.returncode == 2
    assert "contains no paths" in one_line(nothing.stderr)


def test_failures_have_reasons_and_an_exit_code(run: Run, image_folder: Path) -> None:
    (image_folder / "evil\x1b[2J.png").write_bytes(b"")
    done = run("ingest", image_folder)
    assert done.returncode == 3
    assert r"evil\x1b[2J.png: the file is empty" in done.stderr
    assert "3 stored, 1 failed" in done.stderr
    status = run("status")
    assert r"evil\x1b[2J.png: the file is empty" in status.stdout
    assert "images: 3 images" in status.stdout


def test_a_first_ingest_that_stores_nothing_leaves_no_collection(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"no image")
    done = run("ingest", folder)
    assert done.returncode == 3
    assert "bad.png: not an image" in done.stderr
    assert "try:" not in done.stderr
    status = run("status", "--json")
    assert json.loads(status.stdout)["collections"] == []
    draw(folder / "good.png")
    assert "try: clipsearch query" in run("ingest", folder).stderr
    assert "try:" not in run("ingest", folder).stderr


def test_a_list_may_be_in_utf_16_and_a_whole_disk_needs_a_confirmation(
    run: Run, image_folder: Path
) -> None:
    paths = "".join(f"{path}\r\n" for path in sorted(image_folder.iterdir()))
    assert "3 stored" in run("ingest", "-", stdin=paths.encode("utf-16")).stderr
    assert "3 unchanged" in run("ingest", "-", stdin=paths.encode("utf-8-sig")).stderr
    refused = run("ingest", "-", stdin=b"/\n")
    assert refused.returncode == 2
    assert "whole disk" in one_line(refused.stderr)


def test_other_formats_are_counted_by_suffix(run: Run, image_folder: Path) -> None:
    for name in ("a.MOV", "b.mov", "notes.pdf"):
        (image_folder / name).write_bytes(b"x")
    for dry in (["--dry-run"], []):
        done = run("ingest", image_folder, *dry)
        assert done.returncode == 0
        assert "skipped: 3 of other formats (.mov 2, .pdf 1)" in done.stderr
        report = json.loads(run("ingest", image_folder, "--json", *dry).stdout)
        assert report["skipped"] == {".mov": 2, ".pdf": 1}


def test_a_dry_run_writes_nothing(run: Run, image_folder: Path, tmp_path: Path) -> None:
    done = run("ingest", image_folder, "--dry-run")
    assert (done.returncode, "3 would be stored" in done.stderr) == (0, True)
    assert not (tmp_path / "store").exists()


def test_prune_refuses_to_empty_a_collection(ingested: Run, image_folder: Path) -> None:
    for path in image_folder.iterdir():
        path.unlink()
    refused = ingested("ingest", image_folder, "--prune")
    assert refused.returncode == 1
    assert "not mounted" in refused.stderr
    assert "3 removed" in ingested("ingest", image_folder, "--prune", "--force").stderr


def test_an_empty_folder_creates_no_store(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("ingest", "empty")
    assert done.returncode == 2
    assert "no images in empty: looked for avif, bmp," in one_line(done.stderr)
    assert not (tmp_path / "store").exists()


def test_an_empty_folder_is_not_an_error_for_an_existing_collection(
    ingested: Run, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = ingested("ingest", "empty")
    assert (done.returncode, "no images found" in done.stderr) == (0, True)


def test_an_empty_collection_is_named_with_the_next_step(ingested: Run, image_folder: Path) -> None:
    ingested("remove", image_folder)
    for command in (["status"], ["query", "red"]):
        done = ingested(*command)
        assert done.returncode == 0
        assert "empty" in done.stdout + done.stderr
        assert "`clipsearch ingest`" in done.stdout + done.stderr


def start_ingesting(tmp_path: Path) -> subprocess.Popen[str]:
    """Start to ingest 1,000 images; return when some are written."""
    for number in range(1000):
        draw(tmp_path / "many" / f"{number:04}.png", (number % 256, number // 256, 77), size=(8, 8))
    process = subprocess.Popen([*COMMAND, "ingest", "many"], stderr=subprocess.PIPE, text=True)
    store = tmp_path / "store" / "cli.db"
    deadline = time.monotonic() + 120
    while not store.exists() or store.stat().st_size < 1_000_000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_a_killed_ingestion_resumes(run: Run, tmp_path: Path) -> None:
    process = start_ingesting(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    report = json.loads(run("ingest", "many", "--json", "--quiet").stdout)
    assert report["stored"] + report["unchanged"] == 1000
    assert min(report["stored"], report["unchanged"]) > 0
    assert json.loads(run("status", "--json").stdout)["collections"][0]["images"] == 1000


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_finished_work_and_exits_with_130(
    run: Run, tmp_path: Path, end: signal.Signals
) -> None:
    process = start_ingesting(tmp_path)
    process.send_signal(end)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the next run continues from there" in stderr
    assert stderr.splitlines()[-1] == "clipsearch: interrupted"
    assert "Traceback" not in stderr
    assert json.loads(run("status", "--json").stdout)["collections"][0]["images"] > 0


def test_memory_for_decoding_is_limited(run: Run, image_folder: Path) -> None:
    Image.new("RGBA", (6000, 4000), (1, 2, 3, 4)).save(image_folder / "large.png")
    limited = run("ingest", image_folder, "--max-memory", "20M")
    assert limited.returncode == 3
    assert "--max-memory is 20 MB, and the model and the store take" in limited.stderr
    assert "--max-memory leaves 75 MB for that" in limited.stderr
    assert "1 stored" in run("ingest", image_folder, "--max-memory", "4G").stderr
    wrong = run("ingest", image_folder, "--max-memory", "lots")
    assert (wrong.returncode, "not a size" in wrong.stderr) == (2, True)
