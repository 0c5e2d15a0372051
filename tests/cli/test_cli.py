"""The command line with the embedded model, on drawn pictures."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from clipsearch.cli.main import COMMANDS, clipsearch
from tests.helpers.commands import Run, command
from tests.helpers.fakes import draw

COMMAND = [sys.executable, "-m", "clipsearch"]


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of the test's own, and the embedded model."""
    monkeypatch.setenv("CLIPSEARCH_URI", str(tmp_path / "store" / "cli.db"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "pocket")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(environ: None) -> Run:
    """Run a command in this process."""

    return command


@pytest.fixture
def ingested(run: Run, photos: Path) -> Run:
    """The same, with three pictures in the collection."""
    assert run("ingest", photos).returncode == 0
    return run


def one_line(text: str) -> str:
    """The text, which must be one line and no traceback."""
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text.strip()


def test_from_folder_to_answer(run: Run, photos: Path) -> None:
    first = run("ingest", photos)
    assert first.returncode == 0
    assert first.stdout == ""
    assert "model pocket: CLIPSEARCH_MODEL names it" in first.stderr
    assert "3 stored" in first.stderr
    again = run("ingest", photos, "--json", "--quiet")
    assert json.loads(again.stdout)["unchanged"] == 3
    assert again.stderr == ""

    found = run("query", "a", "red", "wall")
    assert found.returncode == 0, found.stderr
    assert len(found.stdout.splitlines()) == 4
    assert "photos/red.png" in found.stdout

    lines = run("query", photos / "red.png", "--json", "-n", "2").stdout.splitlines()
    hits = [json.loads(line) for line in lines]
    assert hits[0]["path"] == str(photos / "red.png")
    assert hits[0]["score"] == pytest.approx(1, abs=1e-3)
    assert (
        run("query", f"id:{hits[0]['id'][:8]}", "--paths", "-n", "1").stdout
        == hits[0]["path"] + "\n"
    )
    rest = run("query", "./photos/red.png", "--no-self", "-0").stdout
    assert set(rest.split("\0")) == {str(photos / "green.png"), str(photos / "blue.png"), ""}
    table = list(csv.DictReader(io.StringIO(run("similar", photos / "red.png", "--csv").stdout)))
    assert {row["path"] for row in table} == {str(photos / "green.png"), str(photos / "blue.png")}


def test_pictures_and_words_add_up_on_the_command_line(ingested: Run, photos: Path) -> None:
    both = ingested("query", "green", "+", "./photos/red.png", "-", "blue", "--json")
    assert json.loads(both.stdout.splitlines()[0])["path"] == str(photos / "red.png")
    weighed = ingested("query", "red", "--image", f"9:{photos / 'blue.png'}", "--json", "-n", "1")
    assert json.loads(weighed.stdout)["path"] == str(photos / "blue.png")


def test_sheets_are_drawn(ingested: Run, tmp_path: Path) -> None:
    for name in ("sheet.png", "sheet.html"):
        done = ingested("query", "red", "--sheet", name)
        assert done.returncode == 0, done.stderr
        assert f"contact sheet: {name}" in done.stderr
        assert (tmp_path / name).stat().st_size > 1000


def test_paths_come_from_standard_input(run: Run, photos: Path) -> None:
    paths = b"\0".join(os.fsencode(path) for path in sorted(photos.iterdir()))
    assert "3 stored" in run("ingest", "-", stdin=paths).stderr
    assert "3 unchanged" in run("ingest", "-", stdin=paths.replace(b"\0", b"\n")).stderr
    nothing = run("ingest", "-")
    assert nothing.returncode == 2
    assert "contains no paths" in one_line(nothing.stderr)


def test_failures_have_reasons_and_their_own_exit_code(run: Run, photos: Path) -> None:
    (photos / "evil\x1b[2J.png").write_bytes(b"")
    done = run("ingest", photos)
    assert done.returncode == 3
    assert r"evil\x1b[2J.png: the file is empty" in done.stderr
    assert "3 stored, 1 failed" in done.stderr
    status = run("status")
    assert r"evil\x1b[2J.png: the file is empty" in status.stdout
    assert "images: 3 images" in status.stdout


def test_a_dry_run_leaves_no_trace(run: Run, photos: Path, tmp_path: Path) -> None:
    done = run("ingest", photos, "--dry-run")
    assert (done.returncode, "3 would be stored" in done.stderr) == (0, True)
    assert not (tmp_path / "store").exists()


def test_prune_refuses_to_empty_a_collection(ingested: Run, photos: Path) -> None:
    for path in photos.iterdir():
        path.unlink()
    refused = ingested("ingest", photos, "--prune")
    assert refused.returncode == 1
    assert "not mounted" in refused.stderr
    assert "3 removed" in ingested("ingest", photos, "--prune", "--force").stderr


def test_status_remove_and_drop(ingested: Run, photos: Path) -> None:
    [collection] = json.loads(ingested("status", "--json").stdout)["collections"]
    assert (collection["name"], collection["images"]) == ("images", 3)
    assert (collection["model"], collection["roots"]) == ("pocket", [str(photos)])
    assert "1 removed" in ingested("remove", photos / "red.png").stderr
    again = ingested("remove", photos / "red.png")
    assert (again.returncode, "has no images at" in one_line(again.stderr)) == (2, True)
    unasked = ingested("drop", "images")
    assert (unasked.returncode, "needs --yes" in one_line(unasked.stderr)) == (2, True)
    assert ingested("drop", "images", "--yes").returncode == 0
    assert (photos / "green.png").is_file()
    assert "no collections" in ingested("status").stdout


def test_duplicates_are_listed(ingested: Run, photos: Path) -> None:
    assert "no duplicates" in ingested("duplicates", "--threshold", "1").stderr
    shutil.copy(photos / "red.png", photos / "copy.png")
    ingested("ingest", photos)
    [group] = map(
        json.loads, ingested("duplicates", "--threshold", "1", "--json").stdout.splitlines()
    )
    assert group["identical"]
    assert {Path(file["path"]).name for file in group["files"]} == {"red.png", "copy.png"}
    assert "identical files" in ingested("duplicates", "--threshold", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("ingest nowhere", 2, "no such file or folder"),
        ("ingest ~$x.jpg", 2, "no such file or folder"),
        ("ingest photos --uri ~nosuch/x.db", 2, "nosuch"),
        ("ingest", 2, "Missing argument"),
        ("ingest photos --model nonsense --collection other", 2, "unknown model"),
        ("ingest photos --model align", 1, "made by pocket"),
        ("query", 2, "the query is empty"),
        ("query dog -n 0", 2, "--limit"),
        ("query dog -n 99999", 2, "16,384"),
        ("query 0:dog", 2, "every weight is 0"),
        ("query nan:dog", 2, "finite"),
        ("query 1e999:dog", 2, "finite"),
        ("query dog --under nowhere", 2, "nothing is stored under nowhere"),
        ("query bad\udcff", 2, "not valid Unicode"),
        ("query dog -n many", 2, "--limit"),
        ("query dog -n 1 --min-score nan", 2, "finite"),
        ("query dog + dog - 2:dog", 1, "cancel"),
        ("query dog --filter wdth>", 2, "wdth"),
        ("query dog --after yesterday", 2, "--after"),
        ("query dog --min-bytes big", 2, "2MB"),
        ("query dog --json --csv", 2, "exclude each other"),
        ("query dog --collection other", 1, "'images'"),
        ("query dog --uri nowhere.db", 1, "no store"),
        ("query dog --uri photos", 2, ".db"),
        ("query dog --uri http://127.0.0.1:9", 1, "127.0.0.1:9"),
        ("query ./nowhere.jpg", 2, "no such image"),
        ("query id:00000000", 2, "no image has an id"),
        ("query dog --sheet sheet.doc", 2, ".png"),
        ("query dog --preview", 2, "terminal"),
        ("similar nowhere.jpg", 2, "no such image"),
        ("duplicates --threshold 7", 2, "threshold"),
        ("drop other --yes", 1, "images"),
        ("nonsense", 2, "No such command"),
    ],
)
def test_wrong_input_gets_one_line_and_the_right_code(
    ingested: Run, arguments: str, code: int, message: str
) -> None:
    done = ingested(*arguments.split())
    assert message in one_line(done.stderr)
    assert done.returncode == code
    assert done.stdout == ""


def test_a_query_before_any_ingestion_says_what_to_do(run: Run) -> None:
    done = run("query", "dog")
    assert done.returncode == 1
    assert "clipsearch ingest" in one_line(done.stderr)


def test_a_first_ingestion_that_finds_nothing_says_so_and_leaves_nothing(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = run("ingest", "empty")
    assert done.returncode == 2
    assert "no images in empty: looked for avif, bmp," in one_line(done.stderr)
    assert not (tmp_path / "store").exists()


def test_an_empty_folder_is_no_error_once_there_is_a_collection(
    ingested: Run, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = ingested("ingest", "empty")
    assert (done.returncode, "no images found" in done.stderr) == (0, True)


def test_remove_forgets_failures_and_names_what_it_does_not_know(
    ingested: Run, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    assert ingested("ingest", "notes.txt").returncode == 3
    done = ingested("remove", "notes.txt", photos / "red.png", "nowhere")
    assert done.returncode == 2
    assert "2 removed" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("has no images at nowhere")
    assert json.loads(ingested("status", "--json").stdout)["collections"][0]["failures"] == []


def start_ingesting(tmp_path: Path) -> subprocess.Popen[str]:
    """A process that is in the middle of ingesting 1,000 pictures, some written already."""
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


def test_a_killed_ingestion_goes_on_where_it_was(run: Run, tmp_path: Path) -> None:
    process = start_ingesting(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    report = json.loads(run("ingest", "many", "--json", "--quiet").stdout)
    assert report["stored"] + report["unchanged"] == 1000
    assert min(report["stored"], report["unchanged"]) > 0
    assert json.loads(run("status", "--json").stdout)["collections"][0]["images"] == 1000


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_done_and_ends_with_130(
    run: Run, tmp_path: Path, end: signal.Signals
) -> None:
    process = start_ingesting(tmp_path)
    process.send_signal(end)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the next run goes on from there" in said
    assert said.splitlines()[-1] == "clipsearch: interrupted"
    assert "Traceback" not in said
    assert json.loads(run("status", "--json").stdout)["collections"][0]["images"] > 0


def test_the_list_of_commands_tells_what_each_one_tells_of_itself() -> None:
    for name, short in COMMANDS.items():
        command = clipsearch.get_command(click.Context(clipsearch), name)
        assert command is not None
        assert (command.help or "").split("\n\n")[0] == short
        assert "\\b" not in command.get_help(click.Context(command))


def test_models_are_listed(run: Run) -> None:
    listed = run("models").stdout
    assert "pocket" in listed
    assert "ViT-B-32-256/datacomp_s34b_b86k" in listed
    rows = [json.loads(line) for line in run("models", "--json").stdout.splitlines()]
    assert next(row for row in rows if row["name"] == "pocket")["local"] is True


def test_a_closed_pipe_is_no_reason_to_complain(ingested: Run) -> None:
    process = subprocess.Popen(
        [*COMMAND, "query", "dog", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1
