"""`clipsearch reindex`: the steps, what it prints, and its exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from clipsearch.models.pocket.encoder import PocketEncoder
from tests.helpers.commands import Run


@pytest.fixture(autouse=True)
def no_daemon(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Start no daemon, but note that one would be started."""
    started: list[Any] = []
    monkeypatch.setattr(
        "clipsearch.cli.reindex.start_for_others", lambda *arguments: started.append(arguments)
    )
    return started


def _collection(run: Run) -> dict[str, Any]:
    [collection] = json.loads(run("status", "--json").stdout)["collections"]
    assert isinstance(collection, dict)
    return collection


def test_a_collection_is_rebuilt_rolled_back_and_its_old_rows_deleted(
    ingested: Run, no_daemon: list[Any]
) -> None:
    done = ingested("reindex")
    assert (done.returncode, done.stdout) == (0, "")
    assert "images is up to date: by pocket" in done.stderr
    assert not no_daemon

    done = ingested("reindex", "--force", "--json")
    report = json.loads(done.stdout)
    assert (report["images"], report["copied"], report["switched"]) == (3, 3, True)
    assert "--rollback` returns to them" in done.stderr
    assert len(no_daemon) == 1
    assert "old rows  3 images by pocket" in ingested("status").stdout
    assert _collection(ingested)["generations"][0]["kind"] == "previous"

    assert ingested("query", "a dog", "--json").stdout.count("\n") == 3
    assert "has the rows by pocket again" in ingested("reindex", "--rollback").stderr
    assert "the old rows are deleted" in ingested("reindex", "--drop-old").stderr
    assert _collection(ingested)["generations"] == []
    done = ingested("reindex", "--rollback")
    assert (done.returncode, "no earlier generation" in done.stderr) == (1, True)
    assert "no reindex is unfinished" in ingested("reindex", "--cancel").stderr


def test_a_model_that_made_the_collection_embeds_nothing(ingested: Run) -> None:
    done = ingested("reindex", "--model", "pocket")
    assert (done.returncode, "is up to date" in done.stderr) == (0, True)


def test_a_collection_of_another_release_of_pocket_is_named(
    ingested: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "calibrated by captions" in ingested("status").stdout
    monkeypatch.setattr(PocketEncoder, "_manifest", {"dim": 512, "weights": "another"})
    command = "`clipsearch reindex --model pocket`"
    done = ingested("reindex")
    assert done.returncode == 0
    assert command in done.stderr
    assert command in ingested("status").stdout
    assert "another release of pocket" in ingested("doctor").stdout
    assert command in ingested("query", "a dog").stderr
    assert "made by another release of pocket" in ingested("query", "a dog").stderr


@pytest.mark.parametrize(
    "options",
    [("--rollback", "--cancel"), ("--rollback", "--model", "pocket"), ("--cancel", "--drop-old")],
)
def test_actions_that_exclude_each_other_are_a_usage_error(
    run: Run, options: tuple[str, ...]
) -> None:
    done = run("reindex", *options)
    assert done.returncode == 2
    assert f"{options[0]} cannot be combined" in done.stderr


def test_a_missing_collection_or_store_is_an_error(ingested: Run, tmp_path: Path) -> None:
    assert "no collection 'birds'" in ingested("reindex", "-c", "birds").stderr
    done = ingested("reindex", "--uri", tmp_path / "none.db")
    assert (done.returncode, "no store at" in done.stderr) == (1, True)
