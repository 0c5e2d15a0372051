"""`clipsearch ingest --engine ray` without Ray."""

from pathlib import Path

import pytest

from tests.helpers.commands import Run, one_line


def test_a_missing_package_is_named_before_a_store_is_created(
    run: Run, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    store = tmp_path / "new.db"
    done = run("ingest", image_folder, "--uri", store, "--engine", "ray")
    assert done.returncode == 2
    assert "needs the package ray: pip install 'clipsearch[ray]'" in one_line(done.stderr)
    assert not store.exists()
