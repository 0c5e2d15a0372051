"""The page on the HTTP API: its commands and its Python code run against a server."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.speed.http_load import Client, serving
from clipsearch import Index
from tests.helpers.fakes import draw
from tests.helpers.markdown import snippets

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "http-api.md"
URL = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with lake.jpg, and a store of 30 images."""
    home = tmp_path_factory.mktemp("api")
    draw(home / "lake.jpg", "blue")
    for number in range(30):
        draw(home / "images" / f"{number}.jpg", (8 * number, 99, 255 - 8 * number), size=(200, 150))
    with Index.open(home / "a.db", model="pocket") as index:
        index.ingest(home / "images")
    return home


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with serving(home / "a.db", "--allow-write") as (url, _):
        yield url


def commands() -> Iterator[tuple[int, str]]:
    """Each curl command of the page with its line, also those of several lines."""
    for block in re.finditer(r"```sh\n(.*?)```", text := PAGE.read_text(encoding="utf-8"), re.S):
        line = text[: block.start()].count("\n") + 2
        for command in re.split(r"\n(?=curl )", block[1]):
            yield line, command


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize(("line", "command"), list(commands()))
def test_a_command_runs(url: str, home: Path, tmp_path: Path, line: int, command: str) -> None:
    assert command.startswith("curl -s ")
    if "--json" in command and not _has_json_option():
        pytest.skip("needs curl 7.82")
    client = Client(url)
    first = client.post("/v1/search", {"terms": [{"text": "a lake"}], "limit": 1})["hits"][0]
    shutil.copy(home / "lake.jpg", tmp_path)
    done = subprocess.run(
        ["bash", "-c", command.replace("curl -s", "curl -sS --fail-with-body").replace(URL, url)],
        env={**os.environ, "id": first["id"]},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"line {line}: {command}\n{done.stdout!r}{done.stderr!r}"
    written = [path for path in tmp_path.iterdir() if path.name != "lake.jpg"]
    if " -o " in command:
        assert written[0].stat().st_size > 100
    else:
        assert json.loads(done.stdout)


def _has_json_option() -> bool:
    done = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=False)
    return "--json" in done.stdout


def test_the_python_code_runs(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    [code] = [snippet.code for snippet in snippets(PAGE) if snippet.language == "python"]
    namespace: dict[str, object] = {}
    exec(compile(code.replace(URL, url), PAGE.name, "exec"), namespace)
    assert namespace["hits"]
