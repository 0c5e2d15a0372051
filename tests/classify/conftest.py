"""Fixtures of the classification tests."""

from pathlib import Path

import pytest

from tests.helpers.fakes import draw

COLORS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230)}


@pytest.fixture
def color_folders(tmp_path: Path) -> Path:
    """Three class folders of five images each."""
    for name, color in COLORS.items():
        for n in range(5):
            shade = (color[0] - 3 * n, color[1], color[2] - 2 * n)
            draw(tmp_path / "classes" / name / f"{n}.png", shade, size=(32 + n, 32))
    return tmp_path / "classes"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
