"""`clipsearch watch`: runs, messages, signals."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from clipsearch.files.mounts import Mount
from clipsearch.index import Index
from clipsearch.session import open_store
from clipsearch.store import Store
from ingest.ocr.options import ReadOptions
from ingest.watch import RunResult
from tests.helpers.commands import Done, Run
from tests.helpers.fakes import draw
from tests.helpers.texts import ColorReader

Step = Callable[[], object]


@pytest.fixture
def watching(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run `clipsearch watch` with one run before and one after each step, then Ctrl-C."""

    def watching(*arguments: str | Path, steps: list[Step]) -> Done:
        def script(run: Callable[[], RunResult], _: object) -> None:
            run()
            for step in steps:
                step()
                run()
            raise KeyboardInterrupt

        monkeypatch.setattr("clipsearch.cli.watch.keep_current", script)
        return run("watch", *arguments)

    return watching


def lines(done: Done) -> list[str]:
    """The lines on standard error, without the time of day and durations."""
    assert done.returncode == 130
    shown = [line.split("  ", 1)[-1] for line in done.stderr.splitlines()]
    return [re.split(r" in \d+\.\d s", line)[0] for line in shown if line and "model " not in line]


def test_each_run_that_changes_something_is_one_line(
    watching: Callable[..., Done], image_folder: Path
) -> None:
    red = image_folder / "red.png"
    done = watching(
        image_folder,
        steps=[
            lambda: None,
            lambda: red.rename(image_folder / "new.png"),
            lambda: (image_folder / "new.png").unlink(),
            lambda: draw(image_folder / "x.png", (1, 2, 3)),
        ],
    )
    assert lines(done) == [
        "3 stored",
        "watching for changes: Ctrl-C ends it",
        "1 moved",
        "1 removed",
        "1 stored",
        "clipsearch: interrupted",
    ]


def test_no_prune_keeps_what_is_deleted(watching: Callable[..., Done], image_folder: Path) -> None:
    done = watching(image_folder, "--no-prune", steps=[lambda: (image_folder / "red.png").unlink()])
    assert "removed" not in done.stderr


def test_a_folder_that_vanishes_keeps_its_images(
    watching: Callable[..., Done], image_folder: Path, run: Run
) -> None:
    away = image_folder.with_name("away")
    done = watching(
        image_folder,
        steps=[
            lambda: image_folder.rename(away),
            lambda: None,
            lambda: away.rename(image_folder),
            lambda: shutil.rmtree(image_folder),
            lambda: image_folder.mkdir(),
            lambda: None,
        ],
    )
    shown = lines(done)
    assert shown.count(f"failed: {image_folder}: no such file") == 2
    assert sum("nothing removed under" in line for line in shown) == 1
    assert "3 images" in run("status").stdout


def test_nothing_is_removed_below_a_disk_that_is_not_mounted(
    watching: Callable[..., Done],
    run: Run,
    image_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Mount(1, image_folder / "disk", "ext4")
    mounted = [disk]
    monkeypatch.setattr("clipsearch.files.disks.read_mounts", lambda: mounted)
    on_disk = draw(disk.point / "1.png", "yellow")

    def lose() -> None:
        mounted.clear()
        on_disk.unlink()
        (image_folder / "red.png").unlink()

    done = watching(
        image_folder,
        steps=[
            lose,
            lambda: None,
            lambda: mounted.append(disk),
        ],
    )
    shown = lines(done)
    assert sum(f"nothing removed under {disk.point}" in line for line in shown) == 1
    assert shown[-2:] == ["1 removed", "clipsearch: interrupted"]
    assert "2 images" in run("status").stdout


def test_an_empty_folder_creates_no_store_until_it_has_images(
    watching: Callable[..., Done], tmp_path: Path
) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    store = Path(os.environ["CLIPSEARCH_URI"])

    def arrive() -> None:
        assert not store.exists()
        draw(incoming / "a.png", "red")

    assert "1 stored" in lines(watching(incoming, steps=[arrive]))


def test_a_half_written_file_is_stored_when_it_is_complete(
    watching: Callable[..., Done], image_folder: Path
) -> None:
    content = draw(image_folder.with_name("full.png"), (9, 8, 7)).read_bytes()
    half = image_folder / "half.png"
    done = watching(
        image_folder,
        steps=[
            lambda: half.write_bytes(content[: len(content) // 2]),
            lambda: None,
            lambda: half.write_bytes(content),
        ],
    )
    shown = lines(done)
    assert sum(line.startswith("failed: ") for line in shown) == 1
    assert shown[-2:] == ["1 stored", "clipsearch: interrupted"]


def test_a_busy_store_is_waited_for_and_said_once(
    watching: Callable[..., Done], image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.store.milvus_lite.lock.WAIT_SECONDS", 0.05)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, os.environ["CLIPSEARCH_URI"]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    holder.stdout.readline()

    def free() -> None:
        holder.communicate(b"\n", timeout=60)

    shown = lines(watching(image_folder, steps=[lambda: None, free]))
    assert len([line for line in shown if line.startswith("waiting: ")]) == 1
    assert "3 stored" in shown


HOLD = """
import sys
from clipsearch.store import Store
with Store.open(sys.argv[1]) as store:
    print(flush=True)
    sys.stdin.readline()
"""


def test_the_model_is_loaded_once(
    watching: Callable[..., Done], image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    load = Index._load_encoder

    def count(self: Index, new_files: object) -> object:
        if self._model is None or isinstance(self._model, str):
            loaded.append(1)
        return load(self, ())

    monkeypatch.setattr(Index, "_load_encoder", count)
    watching(image_folder, steps=[lambda: None] * 3)
    assert len(loaded) == 1


def test_json_is_one_object_for_each_run_that_changes_something(
    watching: Callable[..., Done], image_folder: Path
) -> None:
    done = watching(
        image_folder, "--json", steps=[lambda: None, lambda: (image_folder / "red.png").unlink()]
    )
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["stored"], second["removed"]) == (3, 1)
    assert first.keys() == second.keys() >= {"time", "failed", "moved"}


def test_a_store_that_is_lost_later_is_waited_for(
    watching: Callable[..., Done], image_folder: Path
) -> None:
    store = Path(os.environ["CLIPSEARCH_URI"])
    saved = store.with_name("saved.db")

    def lose() -> None:
        store.rename(saved)
        store.write_text("not a database")

    def restore() -> None:
        saved.replace(store)
        draw(image_folder / "y.png", (3, 3, 9))

    shown = lines(watching(image_folder, steps=[lose, restore]))
    assert any(line.startswith("waiting: ") for line in shown)
    assert "1 stored" in shown


@pytest.mark.parametrize("path", ["missing", "missing/x.png"])
def test_a_mistyped_path_is_a_usage_error(path: str, run: Run) -> None:
    done = run("watch", path)
    assert done.returncode == 2
    assert "no such file or folder" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("environ")
def test_a_process_notices_changes_and_ends_on_a_signal(
    number: signal.Signals, image_folder: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "clipsearch", "watch", str(image_folder)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "watching for changes" in line:
            break
    # Complete at once: a file that still grows may be stored twice.
    draw(image_folder.parent / "new.png", (4, 5, 6)).rename(image_folder / "new.png")
    assert "1 stored" in process.stderr.readline()
    started = time.monotonic()
    process.send_signal(number)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert rest.strip() == "clipsearch: interrupted"
    assert time.monotonic() - started < 10
    with open_store(os.environ["CLIPSEARCH_URI"]) as store:
        assert isinstance(store, Store)
        assert store.collection("images").count() == 4


def test_new_images_are_read_after_each_run(
    watching: Callable[..., Done], image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = ColorReader()
    monkeypatch.setattr("clipsearch.cli.ingest_options.load_reader", lambda _: reader)
    monkeypatch.setattr("clipsearch.cli.read.start_for_others", lambda *_: None)
    # Images of one color have no textness.
    monkeypatch.setattr("clipsearch.cli.watch.ReadOptions", partial(ReadOptions, 0.0))
    done = watching(
        image_folder,
        "--read",
        steps=[
            lambda: None,
            lambda: draw(image_folder / "x.png", (1, 2, 3)),
            lambda: (image_folder / "x.png").unlink(),
        ],
    )
    assert lines(done) == [
        "3 stored",
        "watching for changes: Ctrl-C ends it",
        "3 read (3 with text)",
        "1 stored",
        "1 read (1 with text)",
        "1 removed",
        "clipsearch: interrupted",
    ]
