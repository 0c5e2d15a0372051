"""Fixtures for commands: the embedded model, and a store of the test's own."""

from pathlib import Path

import pytest

from tests.helpers.commands import Run, command


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a store of the test's own, and the embedded model."""
    monkeypatch.setenv("CLIPSEARCH_URI", str(tmp_path / "store" / "cli.db"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "pocket")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(environ: None) -> Run:
    """Run a command in this process."""

    return command


@pytest.fixture
def ingested(run: Run, image_folder: Path) -> Run:
    """Run a command; the collection holds three images."""
    assert run("ingest", image_folder).returncode == 0
    return run
