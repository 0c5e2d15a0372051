"""The daemon as a process: started, killed, stopped, and used by commands."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clipsearch.cli.main import main
from clipsearch.daemon import connection
from clipsearch.daemon import process as daemon_process
from clipsearch.daemon.endpoint import create_endpoint, find_endpoint
from clipsearch.daemon.options import DaemonOptions
from clipsearch.errors import StoreError, UsageError
from clipsearch.models.runtime import Runtime
from clipsearch.session import daemon_of, open_store
from clipsearch.uri import parse_uri
from tests.helpers.commands import command
from tests.helpers.daemons import NEEDS_SOCKETS, ROOT, bare_process
from tests.helpers.fakes import draw
from tests.helpers.records import many
from tests.test_layers import OWNERS

pytestmark = NEEDS_SOCKETS


@pytest.fixture(scope="module")
def warmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store of three images with a daemon that `clipsearch warm` started."""
    folder = tmp_path_factory.mktemp("warmed")
    for color in ("red", "green", "blue"):
        draw(folder / "photos" / f"{color}.png", color)
    uri = folder / "photos.db"
    done = command("ingest", folder / "photos", "--uri", uri, CLIPSEARCH_MODEL="pocket")
    assert done.returncode == 0, done.stderr
    done = command("warm", "--uri", uri, "--idle-timeout", "5m")
    assert done.returncode == 0, done.stderr
    assert "pocket loaded" in done.stdout
    assert "5 minutes" in done.stdout
    yield uri
    assert command("warm", "--stop", "--uri", uri).stderr == "daemon stopped\n"
    assert command("warm", "--status", "--uri", uri).returncode == 1


@pytest.mark.parametrize("output", ["", "--json", "--csv", "--paths", "-0"])
def test_a_query_through_the_daemon_imports_no_numpy_no_store_and_no_model(
    warmed: Path, output: str
) -> None:
    arguments = ["query", "red", "--uri", str(warmed), *output.split()]
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "clipsearch", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.count("red.png") == 1
    loaded = {line.rsplit("|", 1)[-1].strip() for line in run.stderr.splitlines()}
    assert "clipsearch.daemon.request" in loaded
    assert not loaded & {"numpy", "PIL", "scipy", "subprocess", "secrets", "pickle"}
    assert not loaded & OWNERS.keys()
    assert {name for name in loaded if name.startswith("clipsearch.models")} == {
        "clipsearch.models",
        "clipsearch.models.runtime",
    }
    assert not [name for name in loaded if name.startswith(("clipsearch.store", "ingest"))]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_status_through_the_daemon_imports_no_numpy_and_no_store(
    warmed: Path, options: list[str]
) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "clipsearch", "status", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CLIPSEARCH_URI": str(warmed)},
    )
    assert "photos" in run.stdout
    loaded = {line.rsplit("|", 1)[-1].strip() for line in run.stderr.splitlines()}
    assert not loaded & {"numpy", "PIL", "subprocess", "pickle", *OWNERS}
    assert not [name for name in loaded if name.startswith(("clipsearch.store", "ingest"))]


def test_commands_print_the_same_with_and_without_the_daemon(warmed: Path) -> None:
    query = ["query", "green", "--min-width", "9", "-n", "2"]
    for arguments in (["query", "red"], query, ["status"]):
        through = command(*arguments, "--json", "--uri", warmed)
        connection.stop(create_endpoint(parse_uri(str(warmed)).key))
        direct = command(*arguments, "--json", "--uri", warmed)
        assert through.stdout == direct.stdout != ""
        assert command("warm", "--uri", warmed, "--idle-timeout", "5m").returncode == 0


def test_every_command_works_with_the_daemon(warmed: Path) -> None:
    images = warmed.parent / "photos"
    extra = draw(images / "gray.png", (90, 90, 90))
    pid = daemon_process.read_status(str(warmed))
    assert "1 stored" in command("ingest", images, "--uri", warmed).stderr
    assert "red.png" in command("similar", extra, "--uri", warmed).stdout
    assert "4 images" in command("status", "--uri", warmed).stdout
    assert command("duplicates", "--uri", warmed).returncode == 0
    extra.unlink()
    assert "1 removed" in command("remove", extra, "--uri", warmed).stderr
    assert command("drop", "nothing", "--yes", "--uri", warmed).returncode == 1
    wrong = command("query", "dog", "--filter", "wdth>", "--uri", warmed)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    now = daemon_process.read_status(str(warmed))
    assert pid
    assert now
    assert now.pid == pid.pid


def test_warm_extends_the_idle_time_of_a_running_daemon(warmed: Path) -> None:
    before = daemon_process.read_status(str(warmed))
    assert before
    again = command("warm", "--uri", warmed, "--idle-timeout", "2h", "--json")
    state = json.loads(again.stdout)
    assert (state["pid"], state["idle"]) == (before.pid, 7200)
    deadline = time.monotonic() + 10
    while (status := _status(warmed))[
        "sessions"
    ]:  # the daemon notices the end of a command a moment later
        assert time.monotonic() < deadline
    assert (status["running"], status["models"]) == (True, ["pocket"])
    assert 7000 < status["left"] <= 7200


def _status(uri: Path) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(command("warm", "--status", "--json", "--uri", uri).stdout)
    return status


def test_ctrl_c_in_a_command_does_not_reach_the_daemon(warmed: Path) -> None:
    state = daemon_process.read_status(str(warmed))
    assert state
    assert os.getpgid(state.pid) != os.getpgid(0)
    assert os.getsid(state.pid) == state.pid


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_stop_the_daemon_cleanly(path: Path, end: signal.Signals) -> None:
    with bare_process(path) as process, open_store(path) as store:
        assert daemon_of(store)
        images = store.collection("photos")
        images.upsert(many(9))
        process.send_signal(end)
        assert process.wait(20) == 0
        assert not create_endpoint(parse_uri(path).key).socket.exists()
        images.upsert(many(11))  # continues with a direct connection
        images.finish_writes()
        assert images.count() == 11


def test_a_killed_daemon_is_replaced_by_a_direct_connection(path: Path) -> None:
    with bare_process(path) as process:
        with open_store(path) as store:
            images = store.collection("photos")
            assert daemon_of(store)
            process.kill()
            process.wait()
            images.upsert(many(9))
            images.finish_writes()
            assert images.count() == 9
            assert not daemon_of(store)
        with open_store(path) as store:
            assert store.collection("photos").count() == 9
        assert daemon_process.read_status(str(path)) is None
        assert daemon_process.stop(str(path)) is False


def test_a_daemon_that_hangs_is_reported_and_killed(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "GREETING_SECONDS", 0.2)
    with bare_process(path) as process:
        with open_store(path) as store:
            store.collections()
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreError, match=f"open in another process .{process.pid}"):
            open_store(path)
        assert "`clipsearch warm --stop` ends it" in caplog.text
        with pytest.raises(StoreError, match=f"{process.pid}. does not answer"):
            daemon_process.read_status(str(path))
        monkeypatch.setattr(daemon_process, "TERMINATE_SECONDS", 0.2)
        assert daemon_process.stop(str(path))
        with open_store(path) as store:
            assert store.collection("photos").count() == 7


def test_a_daemon_that_ignores_the_request_to_stop_is_ended_by_a_signal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "stop", lambda endpoint: True)  # as of another version
    with bare_process(path) as process:
        assert daemon_process.stop(str(path))
        assert process.wait(20) is not None


def test_a_status_of_another_version_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bare_process(path):
        monkeypatch.setattr(connection, "send_request", lambda *_: {"answer": "what?"})
        with pytest.raises(StoreError, match=r"another version.*`clipsearch warm --stop`"):
            daemon_process.read_status(str(path))


def test_a_relative_uri_names_the_file_of_the_caller(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    daemon_process.start(DaemonOptions(path.name, None, "photos", Runtime()))
    try:
        with open_store(path) as store:
            assert daemon_of(store)
            assert store.collection("photos").count() == 7
    finally:
        daemon_process.stop(str(path))


def test_an_idle_daemon_stops_and_leaves_nothing(path: Path) -> None:
    with bare_process(path, idle=0.2) as process:
        assert process.wait(20) == 0
    assert find_endpoint(parse_uri(path).key) is None


def test_a_store_that_cannot_be_opened_is_reported_at_once(
    tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = command("warm", "--uri", tmp_path / "nowhere.db")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert "no store at" in missing.stderr
    assert not (tmp_path / "nowhere.db").exists()
    with open_store(path):
        taken = command("warm", "--uri", path)
    assert taken.returncode == 1
    assert f"open in another process ({os.getpid()})" in taken.stderr
    for wrong in (["--idle-timeout", "soon"], ["--stop", "--status"], ["--uri", "photos"]):
        with pytest.raises(SystemExit) as end:
            main(["warm", *wrong])
        assert end.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_password_is_in_no_argument_and_no_file(tmp_path: Path) -> None:
    done = command("warm", "--uri", "http://me:pa55word@127.0.0.1:9", CLIPSEARCH_TOKEN="t0ken")
    assert done.returncode == 1
    written = "".join(file.read_text() for file in create_endpoint("x").folder.glob("*.log"))
    for secret in ("pa55word", "t0ken"):
        assert secret not in done.stderr + written


def test_the_variable_starts_a_daemon_after_the_command(tmp_path: Path) -> None:
    draw(tmp_path / "photos" / "red.png")
    uri = tmp_path / "photos.db"
    with_daemon = partial(command, CLIPSEARCH_WARM="1m", CLIPSEARCH_MODEL="pocket")
    assert with_daemon("ingest", tmp_path / "photos", "--uri", uri).returncode == 0
    try:
        deadline = time.monotonic() + 60
        while (state := daemon_process.read_status(str(uri))) is None or state.models != ["pocket"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert with_daemon("query", "red", "--uri", uri).returncode == 0
        now = daemon_process.read_status(str(uri))
        assert now
        assert now.pid == state.pid
    finally:
        daemon_process.stop(str(uri))
    odd = command("query", "red", "--uri", uri, CLIPSEARCH_WARM="often")
    assert (odd.returncode, "CLIPSEARCH_WARM=often" in odd.stderr) == (0, True)
    assert command("query", "red", "--uri", uri, CLIPSEARCH_WARM="off").stderr == ""
    assert daemon_process.read_status(str(uri)) is None


def test_without_unix_sockets_there_is_no_daemon(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("endpoint", "process"):
        monkeypatch.setattr(f"clipsearch.daemon.{module}.is_supported", lambda: False)
    with pytest.raises((StoreError, UsageError), match="Unix sockets"):
        daemon_process.start(DaemonOptions(str(path), None, "photos", Runtime()))
    with open_store(path) as store:
        assert daemon_of(store) is None
