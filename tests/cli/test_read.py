"""`clipsearch read`, and what other commands show of it."""

import json
from pathlib import Path

import pytest

from clipsearch.errors import UsageError
from clipsearch.ocr.reader import TextReader
from tests.helpers.commands import Run
from tests.helpers.fakes import draw
from tests.helpers.texts import ColorReader


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> ColorReader:
    """What commands of this process read with, instead of the extra."""
    reader = ColorReader()

    def load_reader(model: str | None = None) -> TextReader:
        if model:
            raise UsageError(f"no model {model}")
        return reader

    for module in ("read", "ingest_options"):
        monkeypatch.setattr(f"clipsearch.cli.{module}.load_reader", load_reader)
    # A daemon would outlive the test.
    monkeypatch.setattr("clipsearch.cli.read.start_for_others", lambda *_: None)
    return reader


def test_images_are_read_once_and_counted(ingested: Run, reader: ColorReader) -> None:
    done = ingested("read", "--all")
    assert done.returncode == 0
    assert "3 read (3 with text) in " in done.stderr
    assert "3 unchanged in " in ingested("read", "--all").stderr
    assert len(reader.read_colors) == 3
    status = ingested("status").stdout
    assert "  text      3 images were read, 3 show text\n" in status
    assert json.loads(ingested("status", "--json").stdout)["collections"][0]["text"] == {
        "read": 3,
        "with_text": 3,
        "failures": [],
    }
    assert "  3 images were read\n" in ingested("check").stdout


def test_images_with_little_text_are_skipped(
    ingested: Run, reader: ColorReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.cli.read.MIN_TEXTNESS", 1.0)
    report = json.loads(ingested("read", "--json").stdout)
    assert (report["read"], report["skipped"]) == (0, 3)
    assert "skipped for little text: 3; --all reads" in ingested("read").stderr
    assert not reader.read_colors
    assert json.loads(ingested("read", "--all", "--json").stdout)["read"] == 3


def test_only_some_images_are_read(ingested: Run, reader: ColorReader, image_folder: Path) -> None:
    assert "3 would be read" in ingested("read", "--all", "--dry-run").stderr
    one = ingested("read", "--all", "--limit", "1")
    assert "1 read (1 with text)" in one.stderr
    assert "remaining: 2 images, as --limit says" in one.stderr
    [path, *_] = sorted(image_folder.rglob("*.png"))
    assert ingested("read", path, "--all").returncode == 0
    unknown = ingested("read", image_folder / "none.png", "--all")
    assert unknown.returncode == 2
    assert "no image of the collection is at" in unknown.stderr


def test_failures_are_listed(ingested: Run, reader: ColorReader, image_folder: Path) -> None:
    [path, *_] = sorted(image_folder.rglob("*.png"))
    path.unlink()
    done = ingested("read", "--all")
    assert done.returncode == 3
    assert f"failed: {path}: it no longer exists" in done.stderr
    assert f"failed    {path}: it no longer exists" in ingested("status", "--failures").stdout


def test_an_ingestion_reads_what_it_ingested(
    run: Run, reader: ColorReader, image_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    draw(other / "gray.png", (90, 90, 90))
    assert run("ingest", other).returncode == 0
    assert run("ingest", image_folder, "--read", "--json").returncode == 0
    assert "90 90 90" not in reader.read_colors
    run("read", "--all")
    assert "90 90 90" in reader.read_colors
    lines = run("ingest", other, "--read", "--json").stdout.splitlines()
    reports = list(map(json.loads, lines))
    assert [reports[0]["unchanged"], reports[1]["unchanged"]] == [1, 1]


def test_a_reader_that_is_missing_stops_the_command_before_the_store_is_made(
    run: Run, reader: ColorReader, image_folder: Path
) -> None:
    for arguments in (("read",), ("ingest", image_folder, "--read"), ("watch", image_folder)):
        done = run(*arguments, "--ocr-model", "none")
        assert (done.returncode, done.stderr) == (2, "clipsearch: no model none\n")


def test_large_images_are_read_if_the_ingestion_takes_them(
    run: Run, reader: ColorReader, tmp_path: Path
) -> None:
    draw(tmp_path / "large" / "1.png", (1, 2, 3), size=(60, 60))
    assert run("ingest", tmp_path / "large", "--read", "--max-pixels", "3000").returncode == 3
    assert not reader.read_colors
    assert run("ingest", tmp_path / "large", "--read", "--max-pixels", "4000").returncode == 0
