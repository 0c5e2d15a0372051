"""The examples run, on small folders."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.fakes import draw

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a page of text, a cat and two colors, and a store of its own."""
    skimage = pytest.importorskip("skimage.data", reason="pip install 'clipsearch[demo]'")
    folder = tmp_path / "Pictures"
    for color in ("red", "blue"):
        draw(folder / f"{color}.png", color)
    Image.fromarray(skimage.page()).convert("RGB").save(folder / "page.png")
    Image.fromarray(skimage.chelsea()).save(folder / "cat.png")
    monkeypatch.setenv("CLIPSEARCH_MODEL", "pocket")
    monkeypatch.setenv("CLIPSEARCH_URI", str(tmp_path / "images.db"))
    return folder


def run(script: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_screenshots_are_listed_and_then_moved(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "Screenshots"
    arguments = (folder, target, "--min-textness", "0.5")
    assert "page.png" in run("move_screenshots.py", *arguments)
    assert not target.exists()
    run("move_screenshots.py", *arguments, "--move")
    assert (target / "page.png").is_file()
    assert not (folder / "page.png").exists()
    assert (folder / "cat.png").is_file()


def test_the_report_shows_each_image_beside_others(folder: Path, tmp_path: Path) -> None:
    run("similar_report.py", folder, tmp_path / "report.html", "--neighbors", "2")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<p>") == 4
    assert page.count("<figure>") == 4 * 3


def test_the_notebook_runs_and_is_stored_without_output(monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("skimage.data")
    notebook = nbformat.read(EXAMPLES / "search.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    nbclient.NotebookClient(notebook, timeout=120).execute()
    outputs = [str(cell.outputs) for cell in cells]
    assert "0 failures" in outputs[1]
    assert "<img" in outputs[2]
