"""Run the commands and the Python code of the README and the guides."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from PIL import Image

from clipsearch.cli.main import clipsearch
from tests.helpers.commands import command
from tests.helpers.fakes import draw
from tests.helpers.markdown import Snippet, snippets

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# These need a server, which the tests of that page start.
TESTED_ELSEWHERE = {"docs/guides/http-api.md"}
# They need a network or a server, or change the machine.
NOT_RUN = {"docker", "echo", "eval", "git", "mkdir", "pip", "pre-commit", "python", "python3"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with images and an ingested collection."""
    skimage = pytest.importorskip("skimage.data", reason="pip install 'clipsearch[demo]'")
    home = tmp_path_factory.mktemp("home")
    for number, name in enumerate(["Alps/snow", "2023-05/dog", "private/me", "wire"]):
        draw(home / "Pictures" / f"{name}.jpg", (50 * number, 200, 90))
    for number in range(20):  # some numbers need as many
        draw(home / "Pictures" / "colors" / f"{number}.png", (12 * number, 99, 255 - 12 * number))
    cat = Image.fromarray(skimage.chelsea())  # a tag needs an image that it fits
    cat.save(home / "Pictures" / "cat.jpg")
    cat.save(home / "umbrella.jpg")
    for name in ("house", "lake"):
        draw(home / f"{name}.jpg", "blue")
    for number, name in enumerate(["robin", "wren"] * 10):
        draw(home / "birds" / name / f"{number}.jpg", (40 + 5 * number, 200 * (number % 2), 9))
    captions = {"file": "umbrella.jpg", "captions": ["a blue wall", "the sky"]}
    (home / "captions.jsonl").write_text(json.dumps(captions) + "\n")
    return home


@pytest.fixture
def shell(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A shell in that home, which has a store of its own."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "pocket")
    monkeypatch.setenv("CLIPSEARCH_URI", str(home / "home.db"))
    monkeypatch.setenv("COLORTERM", "truecolor")  # for --preview
    monkeypatch.chdir(home)
    if not (home / "home.db").exists():
        assert command("ingest", home / "Pictures").returncode == 0
    yield monkeypatch
    command("warm", "--stop")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(snippets(page)) and name_of(page) not in TESTED_ELSEWHERE],
    ids=name_of,
)
def test_the_code_of_a_page_runs(page: Path, home: Path, shell: pytest.MonkeyPatch) -> None:
    namespace: dict[str, object] = {}
    for snippet in snippets(page):
        if snippet.language == "python":
            code = "\n" * snippet.line + snippet.code  # so that a traceback has the page's lines
            exec(compile(code, name_of(page), "exec"), namespace)
        elif snippet.language == "toml":
            (home / "config.toml").write_text(snippet.code)
            shell.setenv("CLIPSEARCH_CONFIG", str(home / "config.toml"))
        else:
            run(snippet, home, shell)


def run(snippet: Snippet, home: Path, shell: pytest.MonkeyPatch) -> None:
    """Run the clipsearch of a command line as a shell would, without its other programs."""
    line = f"{name_of(snippet.page)}:{snippet.line}: {snippet.code}"
    stages = [shlex.split(stage, comments=True) for stage in re.split(r"\s\|\s", snippet.code)]
    if stages[0][0] == "export":
        shell.setenv(*stages[0][1].split("=", 1))
        return
    words = next((words for words in stages if words[0] == "clipsearch"), None)
    if words is None:
        assert stages[0][0] in NOT_RUN, f"{line}\nneither run nor listed in NOT_RUN"
        return
    arguments = [str(home) + word[1:] if word.startswith("~") else word for word in words[1:]]
    found = b"\0".join(bytes(path) for path in home.rglob("*.jpg"))
    done = command(*arguments, stdin=found if stages[0][0] == "find" else b"")
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_options_in_the_text_exist() -> None:
    options = set(long_options(clipsearch))
    for file in (ROOT / "benchmarks").rglob("*.py"):
        options |= set(re.findall(r'"(--[a-z][a-z-]+)"', file.read_text(encoding="utf-8")))
    for page in PAGES:
        mentioned = re.findall(r"`(--[a-z][a-z-]+)", page.read_text(encoding="utf-8"))
        assert set(mentioned) <= options, name_of(page)


def long_options(group: click.Command) -> Iterator[str]:
    """The long options of a command and of all commands below it."""
    context = click.Context(group)
    for parameter in group.get_params(context):
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command
            yield from long_options(command)


def test_the_recipes_of_the_readme_are_run() -> None:
    commands = [s.code for s in snippets(ROOT / "README.md") if s.code.startswith("clipsearch")]
    assert len(commands) == 13  # eleven recipes, and two of the quick start


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_the_files_that_a_page_links_to_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(((?!http)[^)#]+)", text)
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_paths_on_the_architecture_page_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:clipsearch|ingest|tests|benchmarks)/[\w/.]+)`", text)
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
