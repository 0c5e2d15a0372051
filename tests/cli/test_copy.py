"""`clipsearch copy`."""

import json
from pathlib import Path

import pytest

from clipsearch.store import Store
from tests.helpers.commands import Run, one_line
from tests.helpers.daemons import serving


def test_a_copied_collection_is_searched_and_kept_current(
    ingested: Run, image_folder: Path, tmp_path: Path
) -> None:
    copied = ingested("copy", "--to", "copy.db")
    assert (copied.returncode, copied.stdout) == (0, "images: 3 images, 3 sent, verified\n")
    query = ("query", "a red square", "--json")
    assert ingested(*query, CLIPSEARCH_URI="copy.db").stdout == ingested(*query).stdout
    again = ingested("ingest", image_folder, "--json", CLIPSEARCH_URI="copy.db")
    assert json.loads(again.stdout)["unchanged"] == 3


def test_a_second_copy_sends_what_is_new_and_counts_what_is_gone(
    ingested: Run, image_folder: Path
) -> None:
    ingested("copy", "--to", "copy.db")
    ingested("remove", image_folder / "red.png")
    done = ingested("copy", "--to", "copy.db", "--json")
    counts = json.loads(done.stdout)
    assert (counts["rows"], counts["sent"], counts["extra"]) == (2, 0, 1)
    assert "1 more are in the target only" in ingested("copy", "--to", "copy.db").stderr
    done = ingested("copy", "--to", "copy.db", "--delete")
    assert "1 deleted" in done.stderr
    with Store.open("copy.db") as store:
        assert store.collection("images").count() == 2


def test_a_store_that_a_daemon_serves_is_copied(ingested: Run, tmp_path: Path) -> None:
    with serving(tmp_path / "store" / "cli.db"):
        assert "3 sent" in ingested("copy", "--to", "copy.db").stdout
    with serving(tmp_path / "copy.db"):
        assert "0 sent" in ingested("copy", "--to", "copy.db").stdout


def test_a_copy_within_a_store_has_another_name(ingested: Run, tmp_path: Path) -> None:
    here = str(tmp_path / "store" / "cli.db")
    refused = ingested("copy", "--to", here)
    assert (refused.returncode, "source and the target" in one_line(refused.stderr)) == (2, True)
    names = ("--collection", "images", "--to-collection", "second")
    assert "images as second: 3 images" in ingested("copy", "--to", here, *names).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--to copy", 2, ".db"),
        ("--from nowhere.db --to copy.db", 1, "no store"),
        ("--to copy.db --collection other", 1, "no collection 'other'"),
        ("--to copy.db --to-collection other", 2, "--collection"),
        ("--to http://127.0.0.1:9", 1, "127.0.0.1:9"),
        ("", 2, "--to"),
    ],
)
def test_what_cannot_be_copied_is_one_line(
    ingested: Run, arguments: str, code: int, message: str
) -> None:
    done = ingested("copy", *arguments.split())
    assert message in one_line(done.stderr)
    assert done.returncode == code


def test_a_token_goes_to_one_server_only(ingested: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def open_store(uri: str, *, token: str | None, **_: object) -> Store:
        given.append((uri.rpartition("/")[2], token))
        return Store.open("copy.db", create=True)

    monkeypatch.setattr("clipsearch.cli.copy.open_store", open_store)
    ingested("copy", "--to", "http://h:1", CLIPSEARCH_TOKEN="a:b")
    ingested("copy", "--from", "http://h:1", "--to", "http://h:2", CLIPSEARCH_TOKEN="a:b")
    own = {"CLIPSEARCH_FROM_TOKEN": "c:d", "CLIPSEARCH_TO_TOKEN": "e:f"}
    ingested("copy", "--from", "http://h:1", "--to", "http://h:2", **own)
    assert given == [
        ("cli.db", "a:b"),
        ("h:1", "a:b"),
        ("h:1", None),
        ("h:2", None),
        ("h:1", "c:d"),
        ("h:2", "e:f"),
    ]
