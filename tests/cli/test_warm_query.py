"""`query` and `similar` print the same with a daemon and without, whatever the options."""

import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clipsearch.session import Session
from tests.helpers.commands import Done, command
from tests.helpers.daemons import NEEDS_SOCKETS, bare_process
from tests.helpers.fakes import draw

pytestmark = NEEDS_SOCKETS

NUMBER = re.compile(r"[0-9]+\.[0-9]+(?![0-9.])")

COMMANDS = """
query red
query a red wall -n 2
query red --offset 2 -n 3 --json
query red --csv
query red --paths
query red -0
query red + green - 0.5:blue --json
query red + ./photos/blue.png - photos/5.png --json
query red --image 2:photos/blue.png --no-self --json
query photos/blue.png --no-self --json
query photos/new.png --no-self --json
query red --min-score 0.1 --json
query red --min-z 1 --json
query red --min-z 99
query red --textness -1 --json
query red --textness off
query red --textness 1 --max-textness 0.6 --json
query red --max-textness 0.5 --csv
query red --under photos --json
query red --under photos/../photos/deep -n 2
query red --under nowhere
query red --glob [0-3].png --json
query red --glob photos/*.png --paths
query red --type png -n 1 --json
query red --type doc
query red --tag green --json
query red --tag green --tag red
query red --tag cat
query red --after 2020-01-01
query red --before 2020-01-01 --min-width 5 --min-height 5 --min-bytes 10 --max-bytes 1MB
query red --filter width>3 -n 1
query red --filter wdth>3
query red --filter (
query red --collection other
query red --collection no-name
query red --uri nowhere.db
query red -n 99999
query red -n 16384 --offset 1
query red - red
query 0:red
query nan:red
query ./nowhere.jpg
query ./broken.jpg
query photos
query id:00000000
query id:1
query red --device cuda
query red --precision fp32 --json
query red --runtime torch --precision int8
query red --sheet sheet.html -n 2
query red --sheet sheet.png -n 2 --json
query red --preview
query red --json --csv
query
similar photos/red.png
similar photos/red.png -n 3 --textness 0.5 --json
similar photos/new.png --json
similar nowhere.png
similar id:ffffffff
""".strip().splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of 27 tagged images, and more files; the working directory."""
    folder = tmp_path_factory.mktemp("warm")
    photos = folder / "photos"
    for color in ("red", "green", "blue"):
        draw(photos / f"{color}.png", color)
    for number in range(23):
        draw(photos / f"{number}.png", (11 * number, 250 - 9 * number, 40), size=(30 + number, 40))
    # Not of red.png: with equal scores at the end of the page, either may be shown.
    draw(photos / "deep" / "er" / "copy.png", "green")
    if sys.platform == "linux":  # elsewhere file names are Unicode
        odd = os.fsdecode(b"caf\xe9\x1b.png")
        draw(photos / "odd.png", (200, 30, 30)).rename(photos / odd)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    for arguments in (["ingest", photos], ["tag", "-l", "red", "-l", "green"]):
        done = command(
            *arguments, CLIPSEARCH_URI=str(folder / "images.db"), CLIPSEARCH_MODEL="pocket"
        )
        assert done.returncode == 0, done.stderr
    draw(photos / "new.png", (240, 20, 20))
    return folder


@dataclass(frozen=True, slots=True)
class Results:
    """What each command prints without a daemon and with one, and which did not use it."""

    direct: dict[str, Done]
    warm: dict[str, Done]
    not_answered: list[str]


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    """The results of all commands; each runs once without a daemon, and once with one."""
    not_answered = []
    warm = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("CLIPSEARCH_URI", "images.db")
        patch.setenv("CLIPSEARCH_CACHE", str(folder / "cache"))
        direct = {line: command(*line.split()) for line in COMMANDS}
        open_session = Session.open
        with bare_process(folder / "images.db"):
            for line in COMMANDS:

                def record(*arguments: Any, line: str = line, **options: Any) -> Session:
                    not_answered.append(line)
                    return open_session(*arguments, **options)

                patch.setattr(Session, "open", record)
                warm[line] = command(*line.split())
    return Results(direct, warm, not_answered)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_daemon_changes_no_output(results: Results, line: str) -> None:
    assert "Traceback" not in results.direct[line].stderr
    warm, direct = results.warm[line], results.direct[line]
    assert replace(warm, stdout="") == replace(direct, stdout="")
    assert NUMBER.sub("0", warm.stdout) == NUMBER.sub("0", direct.stdout)
    # Milvus Lite in the daemon and numpy here add products in different orders, which may change
    # the last digit: the sixth of a score, the third of its z.
    numbers, expected = (list(map(float, NUMBER.findall(done.stdout))) for done in (warm, direct))
    assert numbers == pytest.approx(expected, abs=1.1e-3)


def test_the_daemon_answers_all_searches_of_its_store(results: Results) -> None:
    # The second image may be readable to the command alone.
    assert results.not_answered == ["query red --uri nowhere.db", "query ./broken.jpg"]


def test_the_commands_cover_every_exit_code(results: Results) -> None:
    done = results.direct.values()
    assert {result.returncode for result in done} == {0, 1, 2}
    assert sum(bool(result.stdout) for result in done) > 25
