"""Fixtures for commands: the embedded model, and a store of the test's own."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.commands import Done, Run, command


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a store of the test's own, and the embedded model."""
    monkeypatch.setenv("CLIPSEARCH_URI", str(tmp_path / "store" / "cli.db"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "pocket")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(environ: None) -> Run:
    """Run a command in this process, which must not print a traceback."""

    def run(*arguments: str | Path, **options: Any) -> Done:
        done = command(*arguments, **options)
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use an empty cache."""
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Explain with one size of windows, which takes seconds less."""
    monkeypatch.setattr("clipsearch.explain.occlusion.WINDOW_SIZES", (1 / 2,))


@pytest.fixture
def ingested(run: Run, image_folder: Path) -> Run:
    """Run a command; the collection holds three images."""
    assert run("ingest", image_folder).returncode == 0
    return run
