"""Exit codes, one-line errors, and the list of commands."""

import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from clipsearch.cli.main import COMMANDS, clipsearch, main
from tests.helpers.commands import Run, one_line

COMMAND = [sys.executable, "-m", "clipsearch"]


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
        ("query dog + dog - 2:dog", 2, "cancel"),
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
def test_an_error_is_one_line_with_the_right_exit_code(
    ingested: Run, arguments: str, code: int, message: str
) -> None:
    done = ingested(*arguments.split())
    assert message in one_line(done.stderr)
    assert done.returncode == code
    assert done.stdout == ""


def test_the_list_of_commands_repeats_the_first_lines_of_their_help() -> None:
    for name, short in COMMANDS.items():
        command = clipsearch.get_command(click.Context(clipsearch), name)
        assert command is not None
        assert (command.help or "").split("\n\n")[0] == short
        assert "\\b" not in command.get_help(click.Context(command))


def test_a_closed_pipe_prints_no_error(ingested: Run) -> None:
    process = subprocess.Popen(
        [*COMMAND, "query", "dog", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_neither_stop_a_command_nor_reach_the_store(
    image_folder: Path, tmp_path: Path, closed: str
) -> None:
    store = tmp_path / "data" / "store.db"
    command = shlex.join(
        [sys.executable, "-m", "clipsearch", "ingest", str(image_folder), "--model", "pocket"]
    )
    shell = f"umask 022; exec {command} --uri {shlex.quote(str(store))} {closed}"
    assert subprocess.run(["sh", "-c", shell], check=False).returncode == 0
    assert store.read_bytes().startswith(b"SQLite format 3\0")
    assert store.stat().st_mode & 0o777 == 0o600
    assert store.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        ImportError("libx.so: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(clipsearch, "main", fail)
    with pytest.raises(SystemExit, match="1"):
        main([])
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("clipsearch: not enough memory (")
    monkeypatch.setattr(clipsearch, "main", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main([])
