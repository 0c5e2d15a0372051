"""`clipsearch ingest --engine ray` without Ray, and its options without it."""

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


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--ray-address", "auto"),
        ("--ray-encoders", "2"),
        ("--ray-batch", "64"),
        ("--bulk", "files"),
    ],
)
def test_an_option_of_ray_without_ray_is_an_error(
    run: Run, image_folder: Path, tmp_path: Path, option: str, value: str
) -> None:
    store = tmp_path / "new.db"
    done = run("ingest", image_folder, "--uri", store, option, value)
    assert done.returncode == 2
    assert f"{option} needs --engine ray" in one_line(done.stderr)
    assert not store.exists()
