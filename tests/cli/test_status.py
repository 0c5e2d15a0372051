"""`clipsearch status` on a damaged store."""

import json
from pathlib import Path

import pytest

from clipsearch.cli.main import main
from clipsearch.store import Store
from tests.helpers.records import MODEL, many


@pytest.fixture
def damaged(tmp_path: Path) -> str:
    """A store that lost the rows of one of its two collections."""
    uri = str(tmp_path / "photos.db")
    with Store.open(uri) as store:
        for name in ("birds", "cats"):
            images = store.create(name, MODEL)
            images.upsert(many(7))
            images.finish_writes()
        store.backend.drop("birds")
    return uri


def status(uri: str, *options: str) -> object:
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main(["status", "--uri", uri, *options])
    return end.value.code


def test_a_damaged_collection_is_listed_with_the_reason(
    damaged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(damaged) == 1
    shown = capsys.readouterr().out
    assert "cats: 7 images" in shown
    [reason] = [line for line in shown.splitlines() if line.startswith("birds: ")]
    assert "0 rows, but 7 or more were written" in reason
    assert "clipsearch check --repair" in reason


def test_a_damaged_collection_has_an_error_in_json(
    damaged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(damaged, "--json") == 1
    birds, cats = json.loads(capsys.readouterr().out)["collections"]
    assert birds.keys() == {"name", "error"}
    assert (cats["name"], cats["images"], "error" in cats) == ("cats", 7, False)


def test_the_recommended_command_removes_the_damaged_collection(
    damaged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["drop", "birds", "--yes", "--uri", damaged])
    assert end.value.code == 0
    assert status(damaged) == 0
    assert "birds" not in capsys.readouterr().out
