"""`clipsearch explain` with the embedded model, on drawn images."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.commands import Run
from tests.helpers.fakes import draw

pytestmark = pytest.mark.usefixtures("own_cache", "few_windows")


def test_explain_draws_a_heat_map_and_prints_scores(run: Run, tmp_path: Path) -> None:
    draw(tmp_path / "photo.jpg", "red", size=(120, 40))
    done = run("explain", "a red wall", "photo.jpg", "-o", "map.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("score ")
    assert [line.split()[0] for line in done.stdout.splitlines()[3:]] == ["a", "red", "wall"]
    assert "heat map: map.png" in done.stderr
    with Image.open(tmp_path / "map.png") as image:
        assert min(image.size) > 100
    done = run("explain", "青い red", "photo.jpg", "--json")
    assert 'does not know "青い"' in " ".join(done.stderr.split())
    found = json.loads(done.stdout)
    assert len(found["warnings"]) == 1
    assert (found["model"], found["method"], found["map"]) == ("pocket", "occlusion", None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["red", "nowhere.jpg"], "no such image: nowhere.jpg"),
        (["", "photo.jpg"], "empty"),
        (["red", "photo.jpg", "-o", "map.pdf"], "must end in"),
        (["red", "photo.jpg", "--method", "patches"], "has no patch embeddings"),
        (
            ["red", "photo.jpg", "--model", "pocket", "-c", "mine"],
            "leave --model or --collection out",
        ),
    ],
)
def test_usage_errors_of_explain_are_one_line(
    run: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    draw(tmp_path / "photo.jpg", "red")
    done = run("explain", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_explain_uses_the_model_of_the_collection(run: Run, image_folder: Path) -> None:
    assert run("ingest", image_folder, "--quiet").returncode == 0
    done = run("explain", "red", image_folder / "red.png", "-c", "images")
    assert done.returncode == 0, done.stderr
    missing = run("explain", "red", image_folder / "red.png", "-c", "nothing")
    assert missing.returncode == 1
    assert "nothing" in missing.stderr
