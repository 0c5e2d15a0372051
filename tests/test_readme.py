"""What the README tells people to type, typed."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import clipsearch as package
from clipsearch.cli.main import clipsearch
from tests.helpers.fakes import draw

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BEFORE_RECIPES = "clipsearch ingest ~/Pictures", 'clipsearch query "bird on a wire"'


def recipes() -> list[str]:
    """The commands of the table, in its order."""
    rows = [line for line in README.splitlines() if line.startswith("|")]
    commands = [code for row in rows for code in re.findall(r"`((?:clipsearch|find) [^`]+)`", row)]
    return [command.replace(r"\|", "|") for command in commands]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with pictures, and the shell in a folder with more."""
    for number, name in enumerate(["Alps/snow", "2023-05/dog", "private/me", "wire"]):
        draw(tmp_path / "Pictures" / f"{name}.jpg", (50 * number, 200, 90))
    for name in ("lake.jpg", "house.jpg", "cat.jpg", "photo.jpg"):
        draw(tmp_path / name, "blue")
    for number, name in enumerate(["robin", "wren"] * 4):
        draw(
            tmp_path / "examples" / name / f"{number}.jpg",
            (40 + 10 * number, 200 * (number % 2), 9),
        )
    captions = {"file": "photo.jpg", "captions": ["a blue wall", "the sky"]}
    (tmp_path / "captions.jsonl").write_text(json.dumps(captions) + "\n")
    cat = pytest.importorskip("skimage.data").chelsea()  # a tag needs a picture that it fits
    Image.fromarray(cat).save(tmp_path / "Pictures" / "asleep.jpg")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "pocket")
    monkeypatch.setenv("CLIPSEARCH_URI", str(tmp_path / "readme.db"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    type_in("clipsearch warm --stop", tmp_path)


def type_in(line: str, home: Path) -> str:
    """Run the clipsearch of a line as a shell would, without what it is piped into."""
    stages = [shlex.split(stage) for stage in re.split(r"\s\|\s", line)]
    stage = next(words for words in stages if words[0] == "clipsearch")
    words = [word.replace("~", str(home)) if word.startswith("~") else word for word in stage[1:]]
    listed = (
        b"\0".join(bytes(path) for path in home.rglob("*.jpg")) if stages[0][0] == "find" else b""
    )
    done = CliRunner().invoke(clipsearch, words, input=listed)
    assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"
    return done.stdout


def test_every_recipe_works(home: Path) -> None:
    for line in BEFORE_RECIPES:
        assert line in README
        type_in(line, home)
    lines = recipes()
    assert len(lines) > 15
    for line in lines:
        type_in(line, home)
    for drawn in ("dogs.html", "text.html", "map.png", "birds.probe"):
        assert (home / drawn).is_file()


def test_the_python_example_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert package.__version__ >= "0.1.0"
    assert capsys.readouterr().out.startswith("5 0 ()")


def test_the_files_that_it_names_are_there() -> None:
    targets = re.findall(r"\]\(((?!http)[^)]+)\)", README)
    assert targets
    missing = [target for target in targets if not (Path(__file__).parents[1] / target).exists()]
    assert not missing
